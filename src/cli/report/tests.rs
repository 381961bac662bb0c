//! The page of good and of odd reports.

use wgloss::{
    bench::{ClockKind, Measurement, PeerMeasurement, Report, Scaling, ScalingPoint, VERSION},
    losses,
};

use super::html;

fn report(adapter: &str) -> Report {
    Report {
        version: VERSION,
        adapter: adapter.to_string(),
        driver: "a driver".to_string(),
        kind: "CPU".to_string(),
        wgloss: "0.1.0".to_string(),
        date: "2026-01-02".to_string(),
        clock: ClockKind::Timestamps,
        tuning: serde_json::Value::Null,
        copy_gb_per_s: Some(10.0),
        results: Vec::new(),
        skipped: Vec::new(),
        scaling: Vec::new(),
        peers: Vec::new(),
    }
}

fn measurement(loss: &str, fraction_of_copy: f64) -> Measurement {
    Measurement {
        loss: loss.to_string(),
        shape: vec![64, 1000],
        dtype: "f32".to_string(),
        origin: "somewhere".to_string(),
        median_ms: 2.0,
        spread: 0.01,
        runs: 11,
        bytes: 512_000,
        gb_per_s: 0.256,
        copy_ms: 2.0 * fraction_of_copy,
        fraction_of_copy,
        gflop_per_s: None,
        first_call_ms: 34.5,
        kernels: Vec::new(),
        record_us: 6.78,
    }
}

fn scaling(loss: &str, times: &[(u64, f64)]) -> Scaling {
    let point =
        |&(elements, median_ms): &(u64, f64)| ScalingPoint { elements, shape: vec![elements as usize], median_ms };
    Scaling::new(loss, "f32", times.iter().map(point).collect())
}

fn peer(loss: &str, ratio: Option<f64>, is_right: bool) -> PeerMeasurement {
    PeerMeasurement {
        peer: "library 1.2".to_string(),
        device: "cpu, 2 threads".to_string(),
        loss: loss.to_string(),
        shape: vec![64, 1000],
        dtype: "f32".to_string(),
        median_ms: 3.0,
        spread: None,
        wgloss_median_ms: ratio.map(|ratio| 3.0 / ratio),
        ratio,
        is_right,
    }
}

/// A report with some of everything.
fn full(adapter: &str) -> Report {
    Report {
        results: losses::ALL.iter().map(|spec| measurement(spec.name, 0.55)).collect(),
        scaling: vec![scaling("mse", &[(1_000, 0.01), (100_000, 0.1), (10_000_000, 10.0)])],
        peers: vec![peer("mse", Some(2.0), true), peer("mae", Some(8.0), true), peer("huber", Some(0.5), false)],
        ..report(adapter)
    }
}

/// Checks what is true of every page, and gives the page.
#[track_caller]
fn page(reports: &[Report]) -> String {
    let page = html(reports);
    let count = |text: &str| page.matches(text).count();
    assert_eq!(count("<h1>"), 1);
    assert_eq!(count("<table>"), count("<caption>"));
    assert_eq!(count("role=\"img\""), count("role=\"img\"><title>") + count("role=\"img\" height=\"280\"><title>"));
    for element in ["svg", "g", "div", "section", "figure", "table", "tbody", "tr", "p", "span", "ul"] {
        let opened = count(&format!("<{element}>")) + count(&format!("<{element} "));
        assert_eq!(opened, count(&format!("</{element}>")), "{element}");
    }
    // Neither scripts nor the network, and no coordinate that is no number.
    for never in ["<script", "http", "url(", "@import", "NaN", "inf%", "\"inf"] {
        assert!(!page.contains(never), "{never} in the page");
    }
    page
}

#[track_caller]
fn assert_shows(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "`{text}` is not in the page");
    }
}

#[test]
fn a_report_is_shown_with_all_its_figures() {
    let page = page(&[full("vulkan:a")]);
    assert_shows(&page, &["wgloss on vulkan:a", "a driver", "timestamps", "10.0 GB/s", "somewhere"]);
    // 0.55 of a copy, on an axis that ends at 1.1 copies.
    assert_shows(&page, &["width=\"50.00%\"", "left:90.91%\">1 = copy", "<b>0.55</b>", "0.256 GB/s", "2.00 ms"]);
    assert_shows(&page, &["34.5", "6.78", "slope 1.00", "Geometric mean of 2: <b>4.00×</b>", "1 wrong"]);
    assert_shows(&page, &["Regression", "Binary and multi-label", "Multi-class", "Functions of rows"]);
    assert!(!page.contains("Other losses") && !page.contains("Run A"));
}

#[test]
fn what_compares_all_pairs_is_not_beside_a_copy() {
    let of_pairs = Measurement { gflop_per_s: Some(12.3), ..measurement("clip", 0.004) };
    let page = page(&[Report { results: vec![of_pairs], ..report("vulkan:a") }]);
    assert_shows(&page, &["clip", "12.3"]);
    assert!(!page.contains("Speed beside a copy"));
}

#[test]
fn runs_are_beside_each_other() {
    let slower = Report { results: vec![measurement("mse", 0.25)], ..report("vulkan:a") };
    let page = page(&[full("vulkan:a"), full("vulkan:b"), slower]);
    assert_shows(&page, &["3 runs compared", "Run A", "Run B", "Run C", "vulkan:b", "regression 0.45×"]);
    assert_shows(&page, &["colour-0", "colour-1", "colour-2"]);
    let bars = page.split("<h2>Speed beside a copy").nth(1).unwrap();
    let first = bars.split("role=\"img\">").nth(1).unwrap();
    assert!(first.starts_with("<title>mse [64, 1000] of run A: 0.55 of the copy's speed"), "{first:.90}");
    assert!(first.split("</title>").next().unwrap().contains("of run B") && first.contains("width=\"22.73%\""));
}

#[test]
fn peers_may_be_in_a_file_of_their_own() {
    let alone = Report { copy_gb_per_s: None, peers: full("").peers, ..report("vulkan:a") };
    assert_shows(&page(std::slice::from_ref(&alone)), &["wgloss and other libraries", "library 1.2"]);
    let page = page(&[Report { peers: Vec::new(), ..full("vulkan:a") }, alone]);
    assert_shows(&page, &["wgloss on vulkan:a", "library 1.2"]);
    assert!(!page.contains("Run B"));
}

#[test]
fn nothing_makes_a_page_too() {
    assert_shows(&page(&[]), &["wgloss benchmark", "Nothing was measured"]);
    assert_shows(&page(&[report("vulkan:a")]), &["wgloss on vulkan:a", "Nothing was measured"]);
}

#[test]
fn names_are_text() {
    let name = "<script>alert('&')</script>";
    let odd = Report {
        driver: name.to_string(),
        kind: name.to_string(),
        wgloss: name.to_string(),
        date: name.to_string(),
        results: vec![Measurement { origin: format!("\"{name}"), dtype: name.to_string(), ..measurement(name, 0.5) }],
        scaling: vec![scaling(name, &[(10, 0.1), (100, 0.2)])],
        peers: vec![PeerMeasurement {
            peer: name.to_string(),
            device: name.to_string(),
            dtype: name.to_string(),
            ..peer(name, Some(2.0), true)
        }],
        ..report(name)
    };
    let page = page(&[odd.clone(), odd]);
    assert_shows(&page, &["&lt;script&gt;", "&quot;&lt;script&gt;", "Other losses"]);
}

#[test]
fn odd_figures_break_nothing() {
    let odd = [0.0, -1.0, 1e-300, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let results = odd.map(|x| Measurement {
        median_ms: x,
        spread: x,
        gb_per_s: x,
        copy_ms: x,
        first_call_ms: x,
        record_us: x,
        bytes: u64::MAX,
        shape: vec![usize::MAX; 20],
        origin: "long ".repeat(1000),
        ..measurement("a_loss_to_come", x)
    });
    let scalings = odd.map(|x| scaling("mse", &[(0, x), (1, x), (u64::MAX, x)]));
    let peers = odd.map(|x| PeerMeasurement { median_ms: x, wgloss_median_ms: Some(x), ..peer("mse", Some(x), true) });
    let odd = Report {
        copy_gb_per_s: Some(f64::NAN),
        results: results.to_vec(),
        scaling: scalings.to_vec(),
        peers: peers.into_iter().chain([peer("mse", None, false)]).collect(),
        ..report("")
    };
    let page = page(&[odd.clone(), odd, full("vulkan:a")]);
    // What is beyond the axis is cut off.
    assert_shows(&page, &["width=\"100.00%\"", "»", "Other losses"]);
}
