//! Requests per second as a picture.

use std::error::Error;

use plotters::prelude::{BLACK, Color, IntoDrawingArea, IntoFont, RGBColor, Rectangle, SVGBackend, Text, WHITE};

use crate::report::Report;

const WIDTH: i32 = 760;
/// From one bar to the next.
const STEP: i32 = 48;
/// Where bars begin: names stand before it.
const LEFT: i32 = 250;
/// The longest bar. Its figure stands behind it.
const LONGEST: f64 = 380.0;
const BAR: RGBColor = RGBColor(76, 114, 176);

/// One bar for each server, as SVG.
pub(crate) fn throughput(report: &Report) -> Result<String, Box<dyn Error>> {
    let bars = report.throughput();
    let most = bars.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let height = STEP * (i32::try_from(bars.len())? + 1);
    let mut picture = String::new();
    let area = SVGBackend::with_string(&mut picture, (WIDTH.try_into()?, height.try_into()?)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = ("sans-serif", 16).into_font().color(&BLACK);
    let title = "Requests per second, 32 connections, one core";
    area.draw(&Text::new(title, (16, 16), font.clone()))?;
    for ((name, rate), top) in bars.into_iter().zip((STEP..).step_by(STEP.try_into()?)) {
        #[expect(clippy::cast_possible_truncation, reason = "a position in the picture")]
        let right = LEFT + (LONGEST * rate / most) as i32;
        area.draw(&Rectangle::new([(LEFT, top), (right, top + STEP / 2)], BAR.filled()))?;
        area.draw(&Text::new(name, (16, top + 4), font.clone()))?;
        area.draw(&Text::new(format!("{rate:.0}"), (right + 8, top + 4), font.clone()))?;
    }
    area.present()?;
    drop(area);
    Ok(picture)
}
