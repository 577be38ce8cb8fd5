//! Prints the path of the component, for tests that are scripts.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "{}", probe_artifact::PATH)
}
