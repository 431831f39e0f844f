//! Routing by tables, and patterns against all short texts.

use argosy_outbound::{Dependency, Repeat};
use proptest::prelude::*;

use super::*;

fn route(name: &str, skus: &[&str]) -> Route {
    Route {
        skus: skus.iter().map(|sku| (*sku).to_owned()).collect(),
        supplier: Supplier {
            name: name.into(),
            dependency: Dependency(name.into()),
            repeat: Repeat::Natural,
            has_lookup: true,
        },
    }
}

fn line(id: &str, sku: &str) -> Line {
    Line {
        line_id: id.into(),
        sku: sku.into(),
        quantity: 1,
        ..Line::default()
    }
}

#[test]
fn the_most_specific_pattern_wins_in_whatever_order_they_are_written() {
    let mut routes = vec![
        route("acme", &["ACME-*"]),
        route("anvils", &["ACME-ANVIL-*", "ACME-7"]),
        route("rest", &["*"]),
        route("sevens", &["ACME-7*"]),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let routing = Routing::new(routes.clone()).unwrap();
        for (sku, supplier) in [
            ("ACME-1", "acme"),
            ("ACME-ANVIL-1", "anvils"),
            ("ACME-7", "anvils"),
            ("ACME-77", "sevens"),
            ("acme-1", "rest"),
            ("李-1", "rest"),
        ] {
            assert_eq!(&*routing.supplier(sku).unwrap().name, supplier, "{sku}");
        }
    }
}

#[test]
fn lines_are_split_by_supplier_or_all_unserved_ones_named() {
    let routing = Routing::new([route("b", &["B-*"]), route("a", &["A-*"])]).unwrap();
    let lines = [line("1", "B-1"), line("2", "A-1"), line("3", "B-2")];
    let split = routing.split(&lines).unwrap();
    let names: Vec<&str> = split.keys().copied().collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(split["b"].1, [&lines[0], &lines[2]]);

    let lines = [line("1", "B-1"), line("2", "C-1"), line("3", "")];
    assert_eq!(routing.split(&lines).unwrap_err(), [&lines[1], &lines[2]]);
    let all = Routing::new([route("a", &["*"])]).unwrap();
    assert!(
        all.split(&[line("1", "")]).is_err(),
        "a line without a SKU is nobody's"
    );
}

#[test]
fn equally_specific_patterns_of_two_suppliers_that_share_a_sku_are_refused() {
    for (one, other) in [
        (["ACME-*"], ["ACME-*"]),
        (["A*B"], ["AB*"]),
        (["A*1"], ["A*1"]),
        (["A-1"], ["A-1"]),
        (["*"], ["**"]),
        (["ACME-*-X"], ["*ACME--X"]),
    ] {
        let faults = Routing::new([route("a", &one), route("b", &other)]).unwrap_err();
        assert!(
            matches!(&faults.0[..], [RoutingFault::Clash { .. }]),
            "{one:?} {other:?} {faults}"
        );
    }
    for (one, other) in [
        (["ACME-*"], ["ACMF-*"]),
        (["A*B"], ["A*C"]),
        (["ACME-*"], ["ACME-1*"]),
        (["ACME-1*"], ["ACME-1"]),
    ] {
        assert!(
            Routing::new([route("a", &one), route("b", &other)]).is_ok(),
            "{one:?} {other:?}"
        );
    }
    let same = route("a", &["A*B", "AB*"]);
    assert!(
        Routing::new([same]).is_ok(),
        "one supplier may overlap itself"
    );
}

#[test]
fn all_faults_are_told_at_once_by_name() {
    let long = "x".repeat(101);
    let routes = [
        route("a", &[]),
        route("b", &["", " x", "a\tb", &long]),
        route("c", &["C-*", "C-*"]),
        route("c", &["D-*"]),
    ];
    let faults = Routing::new(routes).unwrap_err();
    assert_eq!(faults.0.len(), 7, "{faults}");
    let said = faults.to_string();
    for named in [
        "suppliers.a.skus",
        "suppliers.b.skus",
        "`c` is configured twice",
        "C-*",
    ] {
        assert!(said.contains(named), "{said}");
    }
    assert_eq!(Routing::new([]).unwrap_err().0, [RoutingFault::NoSuppliers]);
    let many: Vec<String> = (0..=PATTERNS_MAX).map(|n| format!("S-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        Routing::new([route("a", &many)]).unwrap_err().0,
        [RoutingFault::TooManyPatterns]
    );
}

/// All texts of up to five of these letters.
fn texts() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..5 {
        last = last
            .iter()
            .flat_map(|text| ["a", "b"].map(|letter| format!("{text}{letter}")))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// By the definition: a star takes nothing, or one character and stays.
fn matches_slowly(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    match (first, text.chars().next()) {
        ('*', None) => matches_slowly(rest, text),
        ('*', Some(taken)) => {
            matches_slowly(rest, text) || matches_slowly(pattern, &text[taken.len_utf8()..])
        }
        (first, Some(taken)) if first == taken => matches_slowly(rest, &text[taken.len_utf8()..]),
        _ => false,
    }
}

proptest! {
    #[test]
    fn patterns_match_and_overlap_as_defined(one in "[ab*]{1,3}", other in "[ab*]{1,3}") {
        let (first, second) = (Pattern::new(&one).unwrap(), Pattern::new(&other).unwrap());
        let mut is_shared = false;
        for text in texts() {
            prop_assert_eq!(first.matches(&text), matches_slowly(&one, &text), "{} {}", one, text);
            is_shared |= matches_slowly(&one, &text) && matches_slowly(&other, &text);
        }
        // Two patterns of three characters that share a text share one of at most five.
        prop_assert_eq!(first.overlaps(&second), is_shared, "{} {}", one, other);
    }

    #[test]
    fn no_sku_and_no_pattern_panics(pattern in ".*", sku in ".*") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            let _ = pattern.matches(&sku);
        }
    }
}
