//! Files and ports: a Landlock ruleset without a rule, which denies all that it handles.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

/// The newest set of rights that is asked for. An older kernel enforces those that it knows, of files only before 6.7.
const RIGHTS: ABI = ABI::V6;

/// Takes from this thread, and from those that it starts, every file and port that is not open yet. Returns the version
/// of Landlock that enforces it; none where the kernel has no Landlock.
pub(super) fn deny() -> Result<Option<i32>, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::from_all(RIGHTS))?
        .scope(Scope::from_all(RIGHTS))?;
    let status = ruleset.create()?.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if status.ruleset != RulesetStatus::NotEnforced => {
            Some(effective_abi as i32)
        }
        _ => None,
    })
}
