//! What a stack is built from, and what it refuses to be built from.

use std::time::Duration;

use argosy_kernel::Death;
use argosy_outbound::{
    Credential, Decision, Dependency, DependencySettings, Profile, Repeat, Secret, Stack,
    StackError,
};
use tokio_util::task::TaskTracker;

use crate::{
    journal::{Memory, call, dependency, settings, stack, stack_of},
    vendor::{Vendor, placed},
};

fn refused(dependencies: Vec<DependencySettings>, profile: &Profile) -> Vec<String> {
    match Stack::new(dependencies, profile, &TaskTracker::new()) {
        Err(StackError::Settings(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn everything_wrong_is_named_at_once() {
    let named = |name: &str, url: &str| DependencySettings::new(Dependency(name.into()), url);
    let mut slow = named("slow", "https://a.example");
    slow.call_timeout = Duration::from_secs(51);
    let mut hasty = named("hasty", "https://a.example");
    hasty.call_timeout = Duration::ZERO;
    let mut restless = named("restless", "https://a.example");
    restless.breaker.open_min = Duration::ZERO;
    let fine = named("fine", "https://a.example");
    let production = Profile::Production {
        private_hosts: Vec::new(),
    };
    let faults = refused(
        vec![
            named("plain", "http://a.example"),
            named("none", "x"),
            slow,
            hasty,
            restless,
            fine.clone(),
            fine,
        ],
        &production,
    );
    assert_eq!(faults.len(), 6, "{faults:?}");
    for (fault, name) in faults
        .iter()
        .zip(["plain", "none", "slow", "hasty", "restless", "fine"])
    {
        assert!(
            fault.starts_with(&format!("dependency `{name}`")),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_dependency_that_is_not_configured_is_named() {
    let vendor = Vendor::start([placed("7")]).await;
    let stack = stack(&vendor);
    let other = Dependency("globex".into());
    assert_eq!(stack.call_timeout(&other), None);
    assert_eq!(
        stack.call_timeout(&dependency()),
        Some(Duration::from_secs(20))
    );
    assert_eq!(stack.admits(&other), Ok(()));
    let mut call = call(Repeat::Natural);
    call.dependency = other;
    let journal = Memory::new();
    for (result, report) in [
        stack.effect(call.clone(), journal.shared()).await,
        stack.read(call).await,
    ] {
        let failure = result.unwrap_err();
        assert_eq!(failure.decision, Decision::Dead(Death::Misconfigured));
        assert!(failure.message.contains("`globex`"), "{failure}");
        assert_eq!(report.detail, Some(failure.message));
    }
    assert_eq!(journal.claims(), 0);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let vendor = Vendor::start([placed("7")]).await;
    let mut settings = settings(&vendor);
    settings.credential = Credential::Bearer(Secret::new("hush"));
    assert!(!format!("{settings:?}").contains("hush"));
    let (stack, _) = stack_of(settings.clone());
    assert!(!format!("{stack:?}").contains("hush"));
    stack
        .effect(call(Repeat::Never), Memory::new())
        .await
        .0
        .unwrap();
    settings.credential = Credential::Header {
        name: "X-Access-Token".to_owned(),
        value: Secret::new("hush"),
    };
    stack_of(settings)
        .0
        .effect(call(Repeat::Never), Memory::new())
        .await
        .0
        .unwrap();
    let received = vendor.received();
    assert_eq!(received[0].header("authorization"), Some("Bearer hush"));
    assert_eq!(received[1].header("x-access-token"), Some("hush"));
    assert_eq!(received[1].header("authorization"), None);
}

#[tokio::test]
async fn a_private_host_is_called_in_production_only_if_it_is_allowed_by_name() {
    let private = Profile::Production {
        private_hosts: Vec::new(),
    };
    let named = Profile::Production {
        private_hosts: vec!["localhost".to_owned()],
    };
    let vendor = Vendor::start([placed("7")]).await;
    let by_name = vendor.url.replace("127.0.0.1", "localhost");
    let base = DependencySettings::new(dependency(), by_name);
    assert_eq!(refused(vec![base.clone()], &private).len(), 1);
    let stack = Stack::new(vec![base], &named, &TaskTracker::new()).unwrap();
    stack
        .effect(call(Repeat::Never), Memory::new())
        .await
        .0
        .unwrap();
}
