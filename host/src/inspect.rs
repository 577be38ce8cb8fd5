//! `status-host inspect`: what would be served, and under which grant.

use std::path::Path;

use serde::Serialize;

use crate::config::printable;
use crate::error::Error;
use crate::sandbox::{self, Grant, Loaded};

#[derive(Serialize)]
struct Report<'a> {
    component: &'a str,
    sha256: &'a str,
    imports: Vec<Import>,
    exports: Vec<String>,
    granted: Granted,
}

#[derive(Serialize)]
struct Import {
    name: String,
    granted: bool,
}

#[derive(Serialize)]
struct Granted {
    interfaces: [&'static str; 5],
    variables: [&'static str; 2],
}

/// Prints the report on the component in `file`, or on the embedded one, for people or as JSON.
///
/// # Errors
///
/// [`Error::Component`] for what is not a component; one that asks for more than is granted is reported all the same.
pub fn run(file: Option<&Path>, json: bool) -> Result<(), Error> {
    let engine = sandbox::engine(1)?;
    let loaded = sandbox::load(&engine, file)?;
    let report = report(&loaded);
    let text = if json { report.json() } else { report.text() };
    crate::print(&text)
}

fn report(loaded: &Loaded) -> Report<'_> {
    let imports = loaded.imports().into_iter().map(|name| Import {
        granted: sandbox::is_granted(&name),
        name,
    });
    Report {
        component: &loaded.name,
        sha256: &loaded.sha256,
        imports: imports.collect(),
        exports: loaded.exports(),
        granted: Granted {
            interfaces: sandbox::INTERFACES,
            variables: [Grant::APP_VERSION, Grant::COMMIT_SHA],
        },
    }
}

impl Report<'_> {
    fn json(&self) -> String {
        // Fails on map keys only, and there are none.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    fn text(&self) -> String {
        let imports: Vec<_> = self
            .imports
            .iter()
            .map(|import| {
                format!(
                    "{}{}",
                    printable(&import.name),
                    if import.granted { "" } else { "  (refused)" }
                )
            })
            .collect();
        format!(
            "component  {}\nsha256     {}\nimports    {}\nexports    {}\ngranted    {}\nvariables  {}\n",
            printable(self.component),
            self.sha256,
            column(&imports),
            column(&self.exports.iter().map(|name| printable(name)).collect::<Vec<_>>()),
            column(&self.granted.interfaces),
            column(&self.granted.variables),
        )
    }
}

fn column(items: &[impl AsRef<str>]) -> String {
    let items: Vec<_> = items.iter().map(AsRef::as_ref).collect();
    items.join("\n           ")
}
