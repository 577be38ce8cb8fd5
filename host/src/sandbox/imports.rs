//! The allowed imports: those of the world `status`. The build script and the host share the list, so that no component
//! is embedded that the host would refuse.

/// The release of WASI; its patch releases are compatible.
const RELEASE: &str = "0.2.";

/// The interfaces, without version. The world also reaches `wasi:clocks`, but only for a type.
pub const ALLOWED_IMPORTS: [&str; 5] = [
    "wasi:cli/environment",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
];

/// Whether `import`, such as `wasi:io/streams@0.2.0`, is allowed.
#[must_use]
pub fn is_allowed(import: &str) -> bool {
    import
        .split_once('@')
        .is_some_and(|(name, version)| version.starts_with(RELEASE) && ALLOWED_IMPORTS.contains(&name))
}
