//! The guest environment: the two variables that the component sees.

use std::ffi::OsString;
use std::sync::Arc;

/// Maximum length of a value, in bytes.
const MAX_VALUE_BYTES: usize = 256;

/// The environment of the component.
#[derive(Clone, Debug)]
pub struct GuestEnv {
    variables: Arc<[(String, String)]>,
}

/// Names every variable that is missing or invalid.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GuestEnvError(String);

impl GuestEnv {
    /// The name of the variable for the version of the application.
    pub const APP_VERSION: &str = "APP_VERSION";

    /// The name of the variable for the Git commit of the application.
    pub const COMMIT_SHA: &str = "COMMIT_SHA";

    /// An environment of these values, which are not validated.
    #[must_use]
    pub fn new(app_version: String, commit_sha: String) -> Self {
        let version = (Self::APP_VERSION.to_owned(), app_version);
        let commit = (Self::COMMIT_SHA.to_owned(), commit_sha);
        Self {
            variables: Arc::new([version, commit]),
        }
    }

    /// Reads the two variables through `lookup`, usually from the environment of the process.
    ///
    /// # Errors
    ///
    /// If a value is missing, empty, longer than 256 bytes, or contains anything but visible ASCII characters.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, GuestEnvError> {
        let version = read(
            &lookup,
            Self::APP_VERSION,
            "the version of the application, such as 0.0.1",
        );
        let commit = read(&lookup, Self::COMMIT_SHA, "the output of `git rev-parse HEAD`");
        match (version, commit) {
            (Ok(version), Ok(commit)) => Ok(Self::new(version, commit)),
            (version, commit) => {
                let errors: Vec<_> = [version.err(), commit.err()].into_iter().flatten().collect();
                Err(GuestEnvError(errors.join("; ")))
            }
        }
    }

    pub(crate) fn app_version(&self) -> &str {
        self.value(Self::APP_VERSION)
    }

    pub(crate) fn commit_sha(&self) -> &str {
        self.value(Self::COMMIT_SHA)
    }

    /// The names and values, for the component.
    pub(super) fn variables(&self) -> Arc<[(String, String)]> {
        Arc::clone(&self.variables)
    }

    fn value(&self, name: &str) -> &str {
        let variable = self.variables.iter().find(|(other, _)| other == name);
        variable.map_or("", |(_, value)| value)
    }
}

/// Only visible ASCII is accepted: other values could look like a version or commit and not be equal to it.
fn read(lookup: impl Fn(&str) -> Option<OsString>, name: &str, expected: &str) -> Result<String, String> {
    let invalid = |problem: &str| format!("the variable `{name}` {problem}; set it to {expected}");
    let value = lookup(name).ok_or_else(|| invalid("is not set"))?;
    let value = value.into_string().map_err(|_| invalid("is not UTF-8"))?;
    if value.len() > MAX_VALUE_BYTES {
        let problem = format!("has {} bytes, more than {MAX_VALUE_BYTES}", value.len());
        return Err(invalid(&problem));
    }
    if value.is_empty() {
        return Err(invalid("is empty"));
    }
    if let Some((byte, char)) = value.char_indices().find(|(_, char)| !char.is_ascii_graphic()) {
        let problem = format!("contains U+{:04X} at byte {byte}, not visible ASCII", u32::from(char));
        return Err(invalid(&problem));
    }
    Ok(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn invalid_variable_is_refused_by_name() {
        let too_long = "x".repeat(MAX_VALUE_BYTES + 1);
        for name in [GuestEnv::APP_VERSION, GuestEnv::COMMIT_SHA] {
            for (value, problem) in [
                (&b""[..], "is empty"),
                (b"0.0 1", "contains U+0020 at byte 3"),
                ("\u{feff}0.0.1".as_bytes(), "contains U+FEFF at byte 0"),
                (b"0.0.1\n", "contains U+000A at byte 5"),
                (b"1\xff", "is not UTF-8"),
                (too_long.as_bytes(), "has 257 bytes, more than 256"),
            ] {
                let value = OsStr::from_bytes(value);
                let lookup = |other: &str| Some(if other == name { value } else { OsStr::new("valid") }.to_owned());
                let error = GuestEnv::from_lookup(lookup).unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("the variable `{name}` {problem}")),
                    "{error}"
                );
            }
        }
    }
}
