//! `wgloss plot`: its files are legible drawings, and their numbers are those of the losses.

use std::fs;

use roxmltree::{Document, Node};
use serde_json::Value as Json;
use tempfile::TempDir;
use wgloss::{Adapter, AnyLoss, HostTensor, Named, Reduction, reference};

use crate::command::wgloss;

/// The most that a kernel's value may be off, beside the larger of 1 and the value.
const TOLERANCE: f64 = 2e-5;

/// Curves of a panel: their names and points.
type Curves = Vec<(String, Vec<(f64, f64)>)>;

fn adapters() -> Vec<String> {
    Adapter::all_blocking().iter().map(Adapter::id).collect()
}

/// The pictures of these names, drawn by an adapter.
fn draw(adapter: &str, only: &[&str]) -> (TempDir, Json) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/pictures");
    let mut args = vec!["plot", path.to_str().unwrap(), "--adapter", adapter, "--json"];
    args.extend(only.iter().flat_map(|name| ["--only", name]));
    let report = wgloss(&args).json();
    assert_eq!(report["adapter"], adapter);
    (directory, report)
}

fn numbers(values: &Json) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn curves(panel: &Json) -> Curves {
    let curve = |curve: &Json| {
        let points = numbers(&curve["x"]).into_iter().zip(numbers(&curve["y"])).collect();
        (curve["label"].as_str().unwrap().to_string(), points)
    };
    panel["curves"].as_array().unwrap().iter().map(curve).collect()
}

/// Checks all points of a panel's curves against a formula that knows the curve's name.
#[track_caller]
fn check(panel: &Json, formula: impl Fn(&str, f64) -> f64) {
    for (label, points) in curves(panel) {
        assert!(points.len() > 100, "{label}");
        for (x, y) in points {
            let expected = formula(&label, x);
            let error = (y - expected).abs() / expected.abs().max(1.0);
            assert!(error < TOLERANCE, "{label} at {x}: {y} is not {expected}");
        }
    }
}

/// The loss that a label names, with the settings behind the name.
fn loss_of(label: &str) -> AnyLoss {
    let mut words = label.split(' ');
    let name = words.next().unwrap();
    AnyLoss::new(name, &words.map(|setting| setting.split_once('=').unwrap()).collect::<Vec<_>>()).unwrap()
}

fn at_error(label: &str, error: f64) -> reference::Evaluation {
    let prediction = [error as f32];
    let inputs = Named::<HostTensor>::new().with("prediction", &prediction).with("target", &[0.0_f32]);
    reference::evaluate(&loss_of(label), &inputs, &Reduction::Sum.into()).unwrap()
}

/// The number at the end of a label.
fn last_number(label: &str) -> f64 {
    let digits = |c: char| !(c.is_ascii_digit() || c == '.');
    label.rsplit(digits).find(|part| !part.is_empty()).unwrap().parse().unwrap()
}

#[test]
fn the_numbers_of_curves_are_the_losses_on_every_adapter() {
    for adapter in adapters() {
        let names = ["regression", "gradients", "focal", "bce", "distances", "regions", "boxes", "label_smoothing"];
        let (_directory, report) = draw(&adapter, &names);
        let [regression, gradients, focal, bce, distances, regions, boxes, smoothing] =
            &report["pictures"].as_array().unwrap()[..]
        else {
            panic!("{report}")
        };
        check(&regression["panels"][0], |label, e| at_error(label, e).loss[0]);
        check(&gradients["panels"][0], |label, e| at_error(label, e).gradients[0].1[0]);

        let gamma = |label: &str| match label {
            "γ = 0 (cross-entropy)" => 0.0,
            "γ = ½" => 0.5,
            _ => last_number(label),
        };
        check(&focal["panels"][0], |label, p| -(1.0 - p).powf(gamma(label)) * p.ln());
        check(&focal["panels"][1], |label, p| {
            let (gamma, u) = (gamma(label), 1.0 - p);
            // The derivative by p, and that of p by the logit.
            (gamma * u.powf(gamma - 1.0) * p.ln() - u.powf(gamma) / p) * p * u
        });

        let sign = |label: &str| 1.0 - 2.0 * last_number(label);
        check(&bce["panels"][0], |label, x| (sign(label) * x).exp().ln_1p());
        check(&bce["panels"][1], |label, x| sign(label) / (1.0 + (-sign(label) * x).exp()));

        check(&distances["panels"][0], |label, d| match label {
            "contrastive, similar" => d * d / 2.0,
            _ => (1.0 - d).max(0.0).powi(2) / 2.0,
        });
        check(&distances["panels"][1], |label, d| (last_number(label) - d + 0.5).max(0.0));

        // As parts of the region: what is missed, and what is too much.
        let score = |label: &str, missed: f64, beyond: f64| match label {
            "dice" => 1.0 - 2.0 * (1.0 - missed) / (2.0 - missed + beyond),
            "jaccard" => 1.0 - (1.0 - missed) / (1.0 + beyond),
            _ => {
                let tversky = 1.0 - (1.0 - missed) / (1.0 - missed + 0.3 * beyond + 0.7 * missed);
                if label == "tversky" { tversky } else { tversky.powf(0.75) }
            }
        };
        check(&regions["panels"][0], |label, p| score(label, 1.0 - p, 0.0));
        check(&regions["panels"][1], |label, p| score(label, 0.0, p));

        check(&boxes["panels"][0], |label, shift| {
            let common = (2.5 - shift.abs()).clamp(0.0, 1.0);
            let union = 8.0 - common;
            // Of what encloses both, which is 4 high.
            let width = (shift.abs() + 2.5).max(4.0);
            let iou = 1.0 - common / union;
            let distance = shift * shift / (width * width + 16.0);
            let aspect = 4.0 / std::f64::consts::PI.powi(2) * (4_f64.atan() - 0.25_f64.atan()).powi(2);
            match label {
                "iou" => iou,
                "giou" => iou + (4.0 * width - union) / (4.0 * width),
                "diou" => iou + distance,
                _ => iou + distance + aspect * aspect / (iou + aspect),
            }
        });

        let rate = |label: &str| if label == "no smoothing" { 0.0 } else { last_number(label) };
        // Of the target and of each of the nine others.
        let probability = |x: f64| x.exp() / (x.exp() + 9.0);
        check(&smoothing["panels"][0], |label, x| (x.exp() + 9.0).ln() - (1.0 - 0.9 * rate(label)) * x);
        check(&smoothing["panels"][1], |label, x| probability(x) - (1.0 - 0.9 * rate(label)));
    }
}

#[test]
fn landscapes_are_those_of_the_function_and_of_a_classifier_that_learns() {
    // The function is held to the reference on every adapter where it is defined; a classifier is trained on the host.
    let Some(adapter) = adapters().into_iter().next_back() else { return };
    let (_directory, report) = draw(&adapter, &["landscape"]);
    let panels = report["pictures"][0]["panels"].as_array().unwrap();
    let [function, _, classifier, _] = &panels[..] else { panic!("{} panels", panels.len()) };
    let field = |panel: &Json| {
        let values: Vec<_> = panel["field"]["values"].as_array().unwrap().iter().map(numbers).collect();
        (numbers(&panel["field"]["x"]), numbers(&panel["field"]["y"]), values)
    };
    let (xs, ys, values) = field(function);
    for (y, row) in ys.iter().zip(&values) {
        for (x, value) in xs.iter().zip(row) {
            let expected = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            assert!((value - expected).abs() < TOLERANCE * (1.0 + expected), "{value} at {x}, {y}");
        }
    }
    let (xs, ys, values) = field(classifier);
    let place = |axis: &[f64], x: f64| axis.iter().position(|&sample| (sample - x).abs() < 1e-9).unwrap();
    let along = &values[place(&ys, 0.0)];
    let [before, after] = [0.0, 1.0].map(|x| along[place(&xs, x)]);
    assert!(before > 2.0 && after < 0.3, "{before} before training, {after} after it");
    assert!(values.iter().flatten().all(|value| value.is_finite() && *value > 0.0));
}

#[test]
fn drawings_show_the_numbers_between_axes_that_are_labelled() {
    let Some(adapter) = adapters().into_iter().next() else { return };
    let (_directory, report) = draw(&adapter, &[]);
    let pictures = report["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 9);
    for picture in pictures {
        let name = picture["name"].as_str().unwrap();
        let path = picture["file"].as_str().unwrap();
        assert!(path.ends_with(&format!("{name}.svg")));
        let text = fs::read_to_string(path).unwrap();
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let root = document.root_element();
        let texts: Vec<&str> = texts(root).map(|node| node.text().unwrap()).collect();
        assert!(texts.contains(&picture["title"].as_str().unwrap()));
        check_texts(name, root);

        let kept = fs::read_to_string(format!("{}/docs/pictures/{name}.svg", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let kept = Document::parse(&kept).unwrap();
        let kept = |text: &str| {
            let shows = self::texts(kept.root_element()).any(|node| node.text() == Some(text));
            assert!(shows, "docs/pictures/{name}.svg does not show `{text}`: run `make pictures`");
        };
        kept(picture["title"].as_str().unwrap());

        let groups: Vec<Node> = root.children().filter(|node| node.has_tag_name("g")).collect();
        let panels = picture["panels"].as_array().unwrap();
        assert_eq!(groups.len(), panels.len(), "{name}");
        for (group, panel) in groups.iter().zip(panels) {
            for field in ["title", "x", "y"] {
                assert!(texts.contains(&panel[field].as_str().unwrap()), "{name} does not show {}", panel[field]);
                kept(panel[field].as_str().unwrap());
            }
            if panel["curves"].is_null() {
                assert!(group.descendants().filter(|node| node.has_tag_name("path")).count() >= 5, "{name}");
                continue;
            }
            for (label, points) in curves(panel) {
                assert!(texts.contains(&label.as_str()), "{name} has no {label} in its legend");
                check_line(*group, &label, &points);
                kept(&label);
            }
        }
    }
}

/// The texts of a drawing.
fn texts<'a, 'input: 'a>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.descendants().filter(|node| node.has_tag_name("text"))
}

fn attribute(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// Checks that texts are large enough, on the sheet, and not over each other.
fn check_texts(name: &str, root: Node) {
    let sheet = (attribute(root, "width"), attribute(root, "height"));
    let mut boxes: Vec<(&str, [f64; 4])> = Vec::new();
    for node in texts(root) {
        let (text, size) = (node.text().unwrap(), attribute(node, "font-size"));
        assert!(size >= 11.0, "{name}: `{text}` has {size} px");
        let (x, y, width) = (attribute(node, "x"), attribute(node, "y"), 0.55 * size * text.chars().count() as f64);
        let left = match node.attribute("text-anchor").unwrap() {
            "start" => x,
            "middle" => x - width / 2.0,
            _ => x - width,
        };
        let place = match node.attribute("transform") {
            // Read from bottom to top.
            Some(_) => [x - 0.8 * size, y - width / 2.0, x, y + width / 2.0],
            None => [left, y - 0.8 * size, left + width, y],
        };
        assert!(
            place[0] >= 0.0 && place[1] >= 0.0 && place[2] <= sheet.0 && place[3] <= sheet.1,
            "{name}: `{text}` is cut off"
        );
        for (other, found) in &boxes {
            let apart = place[2] <= found[0] || found[2] <= place[0] || place[3] <= found[1] || found[3] <= place[1];
            assert!(apart, "{name}: `{text}` is over `{other}`");
        }
        boxes.push((text, place));
    }
}

/// Checks that a panel has the line of a curve, in the coordinates that the ticks of its axes tell.
fn check_line(panel: Node, label: &str, points: &[(f64, f64)]) {
    let ticks = |anchor: &str, coordinate: &str| -> Vec<(f64, f64)> {
        let of_axis = texts(panel).filter(|node| node.attribute("text-anchor") == Some(anchor));
        let tick = |node: Node| {
            let number = node.text().unwrap().replace('−', "-").parse::<f64>().ok()?;
            Some((number, attribute(node, coordinate)))
        };
        of_axis.filter_map(tick).collect()
    };
    // The base line of a tick's label is below its middle.
    let (x, y) = (Scale::through(&ticks("middle", "x"), 0.0), Scale::through(&ticks("end", "y"), 4.0));
    let is_curve = |node: &Node| {
        node.has_tag_name("g")
            && node.children().any(|child| child.has_tag_name("title") && child.text() == Some(label))
    };
    let curve = panel.descendants().find(is_curve).unwrap_or_else(|| panic!("no curve is called {label}"));
    let line = curve.children().find(|node| node.has_tag_name("polyline")).unwrap().attribute("points").unwrap();
    let drawn: Vec<(f64, f64)> = line
        .split(' ')
        .map(|point| point.split_once(',').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect();
    assert_eq!(drawn.len(), points.len(), "{label}");
    for (drawn, point) in drawn.iter().zip(points) {
        let expected = (x.at(point.0), y.at(point.1));
        assert!((drawn.0 - expected.0).abs() < 0.05 && (drawn.1 - expected.1).abs() < 0.05, "{label} at {point:?}");
    }
}

/// Where numbers are on an axis.
struct Scale {
    offset: f64,
    factor: f64,
}

impl Scale {
    /// The scale of an axis with these ticks, whose labels are this far from them.
    fn through(ticks: &[(f64, f64)], shift: f64) -> Self {
        let [first, .., last] = ticks else { panic!("{ticks:?}") };
        let factor = (last.1 - first.1) / (last.0 - first.0);
        let scale = Scale { offset: first.1 - shift - factor * first.0, factor };
        for tick in ticks {
            assert!((scale.at(tick.0) + shift - tick.1).abs() < 0.05, "{ticks:?} are not on one scale");
        }
        scale
    }

    fn at(&self, x: f64) -> f64 {
        self.offset + self.factor * x
    }
}

#[test]
fn a_table_tells_what_was_written() {
    let Some(adapter) = adapters().into_iter().next() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let run = wgloss(&["plot", path, "--only", "focal", "--only", "bce", "--adapter", &adapter]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in [adapter.as_str(), "Focal loss", "focal.svg", "Binary cross-entropy", "bce.svg"] {
        assert!(run.stdout.contains(part), "`{part}` is not in:\n{}", run.stdout);
    }
    let mut written: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    written.sort();
    assert_eq!(written, ["bce.svg", "focal.svg"]);
}

#[test]
fn what_plot_cannot_do_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_string();
    wgloss(&["plot", &path("new"), "--only", "focl"]).refused(2, &["focl", "focal"]);
    wgloss(&["plot", &path("new"), "--adapter", "no such adapter"]).refused(3, &["no such adapter"]);
    assert!(!directory.path().join("new").exists());

    fs::write(directory.path().join("file"), "kept").unwrap();
    wgloss(&["plot", &path("file")]).refused(2, &[&path("file"), "must be a directory"]);
    if let Some(adapter) = adapters().first() {
        wgloss(&["plot", &path("file/below"), "--adapter", adapter])
            .refused(2, &[&path("file/below"), "cannot be written"]);
        fs::create_dir(directory.path().join("bce.svg")).unwrap();
        wgloss(&["plot", &path(""), "--adapter", adapter]).refused(2, &[&path("bce.svg"), "cannot be written"]);
    }
    assert_eq!(fs::read_to_string(directory.path().join("file")).unwrap(), "kept");
}
