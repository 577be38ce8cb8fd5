//! Builds the component that has its version and commit in itself, and packs it as an OCI artifact.
//!
//! It leaves two things in the output folder: `component-standalone.wasm`, and `oci`, the same as an image layout.

#[path = "../../host/build/guest.rs"]
mod guest;
mod layout;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;

use self::guest::Guest;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The file that it leaves.
const COMPONENT: &str = "component-standalone.wasm";

/// The most bytes of a value.
const LIMIT: usize = 256;

/// Builds the component that needs no grant, and packs it as an OCI artifact.
#[derive(Parser)]
struct Options {
    /// The version to tell
    #[arg(long, env, value_parser = told)]
    app_version: String,
    /// The git commit to tell
    #[arg(long, env, value_parser = told)]
    commit_sha: String,
    /// The time of that commit, in seconds since 1970
    #[arg(long, env, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=253_402_300_799))]
    source_date_epoch: u64,
    /// Where both go
    #[arg(long, default_value = "target")]
    output: PathBuf,
}

/// A value that can be told, by the rule that the host has for those that it grants.
fn told(value: &str) -> std::result::Result<String, String> {
    if value.is_empty() || value.len() > LIMIT || value.contains(char::is_control) {
        return Err(format!("give 1 to {LIMIT} bytes without control characters"));
    }
    Ok(value.to_owned())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "artifact: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    named(&options.output, fs::create_dir_all(&options.output))?;
    let output = options.output.canonicalize()?;
    let component = guest::build(&Guest {
        workspace: &Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?,
        package: "status-component",
        features: "standalone",
        variables: &[
            ("APP_VERSION", &options.app_version),
            ("COMMIT_SHA", &options.commit_sha),
        ],
        target_directory: &output.join("guest"),
    })?;
    let file = output.join(COMPONENT);
    named(&file, fs::write(&file, &component))?;
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(options.source_date_epoch);
    layout::write(&output.join("oci"), &component, created, options)
}

/// An error that says of which file or folder it is.
fn named<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| format!("{}: {error}", path.display()).into())
}
