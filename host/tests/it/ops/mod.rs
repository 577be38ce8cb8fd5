//! The monitoring that is deployed, on a real Prometheus that scrapes real servers.

mod expected;
mod prometheus;
mod scenario;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

#[test]
fn promtool_accepts_the_rules() {
    for arguments in [
        &["check", "rules", "rules.yml", "alerts.yml"][..],
        &["test", "rules", "tests.yml"],
    ] {
        let mut command = Command::new("promtool");
        let status = command
            .args(arguments)
            .current_dir(format!("{DEPLOY}/prometheus"))
            .status();
        assert!(status.expect("promtool is installed").success(), "{arguments:?}");
    }
}

#[test]
fn each_alert_is_tested_and_has_a_runbook() {
    let read = |path: &str| fs::read_to_string(format!("{DEPLOY}/{path}")).unwrap();
    let (alerts, tests, runbook) = (
        read("prometheus/alerts.yml"),
        read("prometheus/tests.yml"),
        read("../docs/runbook.md"),
    );
    let names: BTreeSet<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(runbook.contains(&format!("\n## {name}\n")), "{name} has no section");
        let url = format!("runbook_url: docs/runbook.md#{}\n", name.to_lowercase());
        assert!(alerts.contains(&url), "{name} has no runbook_url");
        let outcome = format!("alertname: {name}\n        exp_alerts:");
        let is_silent: BTreeSet<_> = tests
            .match_indices(&outcome)
            .map(|(at, found)| tests[at + found.len()..].starts_with(" []"))
            .collect();
        // It is tested to fire, and not to fire.
        assert_eq!(is_silent.len(), 2, "{name}");
    }
}
