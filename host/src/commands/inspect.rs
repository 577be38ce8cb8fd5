//! `status-host inspect`: the digest, imports and exports of a component, and what the host provides.

use serde::Serialize;

use super::engine::{ADDRESS_SPACE, engine, machine_code};
use crate::cli::{ComponentArg, replace_control_chars};
use crate::error::Error;
use crate::sandbox::{self, GuestEnv, LoadedComponent};

#[derive(Serialize)]
struct Report<'a> {
    component: &'a str,
    sha256: &'a str,
    imports: Vec<Import>,
    exports: Vec<String>,
    allowed_imports: [&'static str; 5],
    guest_environment: [&'static str; 2],
}

#[derive(Serialize)]
struct Import {
    name: String,
    allowed: bool,
}

/// The report on the component, as text or JSON. It makes no instance, so that no code of the component runs. Imports
/// that the host would refuse are no error here.
pub(super) fn run(component: &ComponentArg, json: bool) -> Result<String, Error> {
    let component = sandbox::load(
        &engine(component.file(), 1, ADDRESS_SPACE)?,
        component.file(),
        machine_code(component),
    )?;
    let report = Report::new(&component);
    Ok(if json { report.json() } else { report.text() })
}

impl<'a> Report<'a> {
    fn new(component: &'a LoadedComponent) -> Self {
        let imports = component.imports().into_iter().map(|name| Import {
            allowed: sandbox::is_allowed(&name),
            name,
        });
        Self {
            component: &component.name,
            sha256: &component.sha256,
            imports: imports.collect(),
            exports: component.exports(),
            allowed_imports: sandbox::ALLOWED_IMPORTS,
            guest_environment: [GuestEnv::APP_VERSION, GuestEnv::COMMIT_SHA],
        }
    }

    fn json(&self) -> String {
        // Only map keys can fail to serialize, and there are no maps.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    fn text(&self) -> String {
        let import = |import: &Import| {
            let marker = if import.allowed { "" } else { "  (not allowed)" };
            format!("{}{marker}", replace_control_chars(&import.name))
        };
        let exports = self.exports.iter().map(|name| replace_control_chars(name));
        [
            row("component", [replace_control_chars(self.component)]),
            row("sha256", [self.sha256]),
            row("imports", self.imports.iter().map(import)),
            row("exports", exports),
            row("allowed imports", self.allowed_imports),
            row("guest environment", self.guest_environment),
        ]
        .concat()
    }
}

/// One labelled row, with a line for each value.
fn row<T: AsRef<str>>(label: &str, values: impl IntoIterator<Item = T>) -> String {
    let mut labels = [label].into_iter();
    let line = |value: T| format!("{:19}{}\n", labels.next().unwrap_or_default(), value.as_ref());
    let lines: String = values.into_iter().map(line).collect();
    if lines.is_empty() { format!("{label}\n") } else { lines }
}
