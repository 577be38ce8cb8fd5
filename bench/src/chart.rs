//! A bar chart of the throughput.

use std::error::Error;

use plotters::prelude::{BLACK, Color, IntoDrawingArea, IntoFont, RGBColor, Rectangle, SVGBackend, Text, WHITE};

use crate::report::Report;

const WIDTH: i32 = 760;
/// Distance between the tops of two bars.
const BAR_PITCH: i32 = 48;
/// Left edge of the bars, after the names.
const BAR_LEFT: i32 = 250;
/// Length of the longest bar. The figure follows the bar.
const MAX_BAR_LENGTH: f64 = 380.0;
const BAR_COLOR: RGBColor = RGBColor(76, 114, 176);

/// Draws one bar for each server, as SVG.
pub(crate) fn throughput(report: &Report) -> Result<String, Box<dyn Error>> {
    let bars = report.throughput();
    let max = bars.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let height = BAR_PITCH * (i32::try_from(bars.len())? + 1);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH.try_into()?, height.try_into()?)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = ("sans-serif", 16).into_font().color(&BLACK);
    let title = "Requests per second, 32 connections, one core";
    area.draw(&Text::new(title, (16, 16), font.clone()))?;
    for ((name, rate), top) in bars.into_iter().zip((BAR_PITCH..).step_by(BAR_PITCH.try_into()?)) {
        #[expect(clippy::cast_possible_truncation, reason = "a pixel position")]
        let right = BAR_LEFT + (MAX_BAR_LENGTH * rate / max) as i32;
        area.draw(&Rectangle::new(
            [(BAR_LEFT, top), (right, top + BAR_PITCH / 2)],
            BAR_COLOR.filled(),
        ))?;
        area.draw(&Text::new(name, (16, top + 4), font.clone()))?;
        area.draw(&Text::new(format!("{rate:.0}"), (right + 8, top + 4), font.clone()))?;
    }
    area.present()?;
    drop(area);
    Ok(svg)
}
