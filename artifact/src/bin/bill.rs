//! Narrows a `CycloneDX` bill of materials to the crates of a build: `bill FILE < CRATES`, to standard output. The crates
//! come one a line, as `cargo tree --prefix none` lists them.
//!
//! `cargo cyclonedx` takes the features that a build script asks for as those of what it builds, and so lists the
//! compiler that the host is built with as a part of the host. `cargo tree` knows one from the other.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bill: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let file = env::args_os()
        .nth(1)
        .ok_or("no bill is named; say bill FILE < CRATES")?;
    let mut bill = read(Path::new(&file)).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines: std::result::Result<Vec<_>, _> = io::stdin().lock().lines().collect();
    let crates = lines?.iter().map(|line| identity(line)).collect::<Result<_>>()?;
    narrow(&mut bill, crates)?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    replace(
        &mut bill,
        &format!("path+file://{}", workspace.display()),
        "path+file:///source",
    );
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &bill)?;
    Ok(writeln!(out)?)
}

fn read(file: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

/// Name and version, from `name v1.2.3 (what else is said of it)`.
fn identity(line: &str) -> Result<(String, String)> {
    let mut words = line.split_whitespace();
    let name = words.next();
    let version = words.next().and_then(|word| word.strip_prefix('v'));
    name.zip(version)
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .ok_or_else(|| format!("`{line}` is no crate; give what `cargo tree --prefix none` prints").into())
}

/// Leaves of `bill` what is of `crates`, all of which have to be there.
fn narrow(bill: &mut Value, mut crates: BTreeSet<(String, String)>) -> Result<()> {
    let root = bill
        .pointer("/metadata/component")
        .ok_or("the bill does not say of what it is")?;
    let mut kept = BTreeSet::from([text(root, "bom-ref")]);
    crates.remove(&(text(root, "name"), text(root, "version")));
    list(bill, "components")?.retain(|component| {
        let is_kept = crates.remove(&(text(component, "name"), text(component, "version")));
        if is_kept {
            kept.insert(text(component, "bom-ref"));
        }
        is_kept
    });
    if let Some((name, version)) = crates.first() {
        return Err(format!("the bill lacks {name} {version}; make both for the same target and features").into());
    }
    let dependencies = list(bill, "dependencies")?;
    dependencies.retain(|dependency| kept.contains(&text(dependency, "ref")));
    for dependency in dependencies {
        if let Some(on) = dependency.get_mut("dependsOn").and_then(Value::as_array_mut) {
            on.retain(|on| on.as_str().is_some_and(|on| kept.contains(on)));
        }
    }
    Ok(())
}

fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(bill: &'a mut Value, key: &str) -> Result<&'a mut Vec<Value>> {
    let list = bill.get_mut(key).and_then(Value::as_array_mut);
    list.ok_or_else(|| format!("the bill has no list of {key}").into())
}

/// Puts `to` in place of `from` in all texts of `value`: where a bill is made is not told.
fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, from, to)),
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, from, to)),
        _ => {}
    }
}
