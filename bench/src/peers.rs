//! The servers under measurement.

use std::error::Error;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use crate::Options;

/// The guest environment, with values of realistic length.
const VARIABLES: [(&str, &str); 2] = [
    ("APP_VERSION", "0.0.1"),
    ("COMMIT_SHA", "0123456789abcdef0123456789abcdef01234567"),
];

/// The port of the first server. The others use the ports that follow.
const FIRST_PORT: u16 = 5100;

/// One server.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// Size of the executable in bytes.
    pub(crate) size: f64,
    program: OsString,
    arguments: Vec<OsString>,
}

impl Peer {
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(VARIABLES);
        command
    }
}

/// Returns all servers. The first is the baseline of the ratios.
pub(crate) fn peers(options: &Options) -> Result<Vec<Peer>, Box<dyn Error>> {
    let compiled = compile(options)?;
    let serve = |address: SocketAddr, extra: &[&str]| {
        let options = [
            "serve",
            "-Scli",
            "--allow-precompiled",
            "--max-concurrent-connections=20000",
            "--addr",
        ];
        let mut arguments: Vec<OsString> = options.map(OsString::from).into();
        arguments.push(address.to_string().into());
        arguments.extend(VARIABLES.map(|(name, value)| format!("--env={name}={value}").into()));
        arguments.extend(extra.iter().map(OsString::from));
        arguments.push(compiled.clone());
        arguments
    };
    let at = |index: u16| SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + index));
    let status_host = ["--listen", "127.0.0.1:5101", "--admin", "127.0.0.1:0"].map(OsString::from);
    Ok(vec![
        peer("native", at(0), &options.native, vec![at(0).to_string().into()])?,
        peer("status-host", at(1), &options.status_host, status_host.into())?,
        peer("wasmtime serve", at(2), &options.wasmtime, serve(at(2), &[]))?,
        peer(
            "wasmtime serve, instances reused",
            at(3),
            &options.wasmtime,
            serve(at(3), &["--max-instance-reuse-count=1000000000"]),
        )?,
    ])
}

fn peer(name: &'static str, address: SocketAddr, program: &Path, arguments: Vec<OsString>) -> io::Result<Peer> {
    let metadata =
        fs::metadata(program).map_err(|error| io::Error::other(format!("{}: {error}", program.display())))?;
    Ok(Peer {
        name,
        address,
        size: u32::try_from(metadata.len()).map_err(io::Error::other)?.into(),
        program: program.into(),
        arguments,
    })
}

/// Compiles the component ahead of time for `wasmtime serve`, as status-host does at build time.
fn compile(options: &Options) -> Result<OsString, Box<dyn Error>> {
    let compiled = options.output.join("component.cwasm");
    let status = Command::new(&options.wasmtime)
        .arg("compile")
        .arg("-o")
        .args([&compiled, &options.component])
        .status()
        .map_err(|error| format!("{}: {error}", options.wasmtime.display()))?;
    if !status.success() {
        return Err(format!("`wasmtime compile` failed: {status}").into());
    }
    Ok(compiled.into())
}
