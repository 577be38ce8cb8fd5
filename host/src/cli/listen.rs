//! The address of the service.

use std::env;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::Args;

use super::ParseError;

/// Where the service listens by default: on all addresses, of both families.
const DEFAULT_IP: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
const DEFAULT_PORT: u16 = 5000;

/// `--listen`.
#[derive(Args, Debug)]
pub struct ListenArg {
    /// Address and port to listen on; by default [::] and the port $PORT, or 5000
    #[arg(long, env = "LISTEN", hide_env_values = true, value_name = "ADDRESS:PORT")]
    listen: Option<OsString>,
}

impl ListenArg {
    /// The address. It is parsed on use: commands that do not listen accept any `LISTEN` and `PORT`.
    ///
    /// # Errors
    ///
    /// [`ParseError::Invalid`] if the value is not an IP address with a port, or `PORT` is not a port.
    pub fn address(&self) -> Result<SocketAddr, ParseError> {
        let Some(listen) = &self.listen else {
            return Ok(SocketAddr::new(DEFAULT_IP, default_port()?));
        };
        let value = listen.to_string_lossy();
        value.parse().map_err(|_| {
            ParseError::Invalid(format!(
                "invalid address `{value}`; set --listen or LISTEN to an IP address and a port, such as \
                 0.0.0.0:5000 or [::]:5000"
            ))
        })
    }
}

/// The port that the platform assigns, as Cloud Run, Heroku and others do. It is no option: `--listen` sets the port
/// too.
fn default_port() -> Result<u16, ParseError> {
    // A shell exports an unset variable as an empty one.
    let Some(port) = env::var_os("PORT").filter(|port| !port.is_empty()) else {
        return Ok(DEFAULT_PORT);
    };
    let port = port.to_string_lossy();
    port.parse().map_err(|_| {
        ParseError::Invalid(format!(
            "invalid port `{port}` in the variable PORT; set it to a number from 0 to 65535, or set --listen or LISTEN"
        ))
    })
}
