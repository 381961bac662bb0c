//! Losses of rows: masks, sure rows, class weights, statistics, and how they hang together.

use super::*;

const MASK: f64 = f64::NEG_INFINITY;

/// Every loss of rows with each of its settings.
fn row_losses() -> impl Iterator<Item = AnyLoss> {
    every_setting().filter(|loss| loss.spec().rows().is_some())
}

/// The result per item of two rows of classes each.
fn row_pair(loss: &AnyLoss, first: &[f64], second: &[f64], shape: &[usize]) -> Evaluation {
    let [first_name, second_name] = [0, 1].map(|index: usize| loss.spec().inputs[index].name);
    let inputs = Named::new().with(first_name, tensor(first, shape)).with(second_name, tensor(second, shape));
    evaluate(loss, &inputs, Reduction::None)
}

/// The softmax of every row.
fn softmax(logits: &[f64], shape: &[usize]) -> Vec<f64> {
    evaluate(&loss("softmax", &[]), &Named::new().with("logits", tensor(logits, shape)), Reduction::None).loss
}

#[test]
fn nan_and_infinity_spoil_their_row_and_no_other() {
    for loss in row_losses() {
        let clean = inputs_for(&loss, MATRIX, Reduction::None, true, 11);
        let expected = evaluate(&loss, &clean, Reduction::None);
        for input in loss.spec().inputs.iter().filter(|input| input.kind == Kind::Float) {
            let rows = match input.shape {
                Shape::Rows => 2..3,
                Shape::Items => 3..4,
                _ => 0..4,
            };
            let index = if input.shape == Shape::Rows { 2 * CLASSES + 1 } else { 3 };
            // What is infinite among values of a row that are a loss's own has the limit of the formula.
            let is_own = input.shape == Shape::Items && input.name != "weight";
            for poison in [f64::NAN, f64::INFINITY].into_iter().filter(|poison| poison.is_nan() || !is_own) {
                let inputs = moved(&clean, input.name, index, poison);
                let result = match reference::evaluate(&loss, &inputs, &Reduction::None.into()) {
                    Ok(result) => result,
                    Err(Error::Target { count: 1, first: 2, .. }) if poison.is_infinite() => continue,
                    Err(error) => panic!("{}: {error}", described(&loss)),
                };
                let targets = clean.get("target").map_or(vec![0.0; 4], HostTensor::to_f64);
                let is_ignored = |row: usize| ignore_index(&loss).map(f64::from) == Some(targets[row]);
                let is_spoilt = |row: usize| rows.contains(&row) && !is_ignored(row);
                let outputs = [(&result.loss, &expected.loss), (&result.gradients[0].1, &expected.gradients[0].1)];
                for (found, expected) in outputs {
                    let width = found.len() / 4;
                    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                        let row = index / width;
                        let as_it_should = match is_spoilt(row) {
                            // An infinite weight multiplies.
                            true if input.name == "weight" => !found.is_finite(),
                            true => found.is_nan(),
                            false => found == expected,
                        };
                        assert!(as_it_should, "{}: {} = {poison}: [{index}] is {found}", described(&loss), input.name);
                    }
                }
            }
        }
    }
}

#[test]
fn the_class_axis_is_the_second_whatever_follows() {
    // [N, C, d] as a matrix of N·d rows.
    let by_row = |values: &[f64]| -> Vec<f64> {
        let [n, c, d] = [VOLUME[0], VOLUME[1], VOLUME[2]];
        (0..n * d)
            .flat_map(|row| (0..c).map(move |class| (row / d * c + class) * d + row % d))
            .map(|i| values[i])
            .collect()
    };
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    for (case, loss) in row_losses().enumerate() {
        let spec = loss.spec();
        let statistics = Statistics { log_sum_exp: !spec.rows().unwrap().softmax_of.is_empty(), ..statistics };
        for reduction in spec.reductions().filter(|reduction| *reduction != Reduction::BatchMean) {
            let volume = inputs_for(&loss, VOLUME, reduction, true, case as u64);
            let matrix = spec.all_inputs().filter(|input| input.goes_with(reduction)).map(|input| {
                let given = volume.get(input.name).unwrap();
                let values = if given.shape() == VOLUME { by_row(&given.to_f64()) } else { given.to_f64() };
                let shape = shape_of(&loss, MATRIX, input, reduction);
                let tensor = match input.kind {
                    Kind::Float | Kind::Label | Kind::Mask => tensor(&values, &shape),
                    Kind::Index => classes(&values.iter().map(|&x| x as i32).collect::<Vec<_>>(), &shape),
                };
                (input.name.to_string(), tensor)
            });
            let options = Options { statistics, ..Options::new(reduction) };
            let [found, expected] = [&volume, &matrix.collect()].map(|inputs| evaluate(&loss, inputs, options));
            let loss_by_row = if spec.is_per_class() { by_row(&found.loss) } else { found.loss.clone() };
            assert_eq!(loss_by_row, expected.loss, "{}", described(&loss));
            assert_eq!(by_row(&found.gradients[0].1), expected.gradients[0].1, "{}", described(&loss));
            assert_eq!(by_row(&found.gradient_magnitudes[0]), expected.gradient_magnitudes[0], "{}", described(&loss));
            let rest = |result: Evaluation| Evaluation {
                loss: vec![],
                shape: vec![],
                item_shape: Vec::new(),
                gradients: vec![],
                gradient_magnitudes: vec![],
                loss_magnitudes: vec![],
                ..result
            };
            assert_eq!(rest(found), rest(expected));
        }
    }
}

#[test]
fn identities_between_row_losses() {
    let logits: Vec<f64> = (0..20).map(|index| f64::from((index * 37) % 23 - 9) / 4.0).collect();
    let targets = [1, 4, 0, 2];
    let hard = rows(&logits, &targets).with("class_weight", tensor(&[0.5, 2.0, 0.0, 1.0, 0.75], &[CLASSES]));
    let one_hot: Vec<f64> = targets.iter().flat_map(|&t| (0..5).map(move |c| f64::from(u8::from(c == t)))).collect();
    let mut soft = Named::new().with("target_probabilities", tensor(&one_hot, MATRIX));
    for name in ["logits", "class_weight"] {
        soft = soft.with(name, hard.get(name).unwrap().clone());
    }
    let same = |found: Evaluation, expected: Evaluation, what: &str| {
        assert_all_close(&found.loss, &expected.loss, 1e-14, what);
        assert_all_close(&found.gradients[0].1, &expected.gradients[0].1, 1e-15, what);
    };
    let cross_entropy = |settings| evaluate(&loss("cross_entropy", settings), &hard, Reduction::None);
    for settings in [&[] as Settings, &[("label_smoothing", "0.2")]] {
        let soft = evaluate(&loss("cross_entropy_soft", settings), &soft, Reduction::None);
        same(soft, cross_entropy(settings), "cross_entropy_soft of one-hot targets");
    }
    let focal = evaluate(&loss("focal", &[("gamma", "0"), ("alpha", "1")]), &hard, Reduction::None);
    same(focal, cross_entropy(&[]), "focal without focus");
    same(cross_entropy(&[("softcap", "1e18")]), cross_entropy(&[]), "a softcap far above");

    let log_softmax = |upstream: &[f64]| {
        let inputs = Named::new().with("logits", tensor(&logits, MATRIX)).with("upstream", tensor(upstream, MATRIX));
        evaluate(&loss("log_softmax", &[]), &inputs, Reduction::None)
    };
    // Log-probabilities are not exact in f32, so their own likelihood is only as near as that.
    let ln_p = log_softmax(&[1.0; 20]).loss;
    let nll_inputs = Named::new()
        .with("log_probabilities", tensor(&ln_p, MATRIX))
        .with("target", classes(&targets, &[4]))
        .with("class_weight", hard.get("class_weight").unwrap().clone());
    let nll = evaluate(&loss("nll", &[]), &nll_inputs, Reduction::Mean);
    let whole = evaluate(&loss("cross_entropy", &[]), &hard, Reduction::Mean);
    assert_close(nll.loss[0], whole.loss[0], 1e-6, "nll of log_softmax");
    let chained = log_softmax(&nll.gradients[0].1);
    assert_all_close(&chained.gradients[0].1, &whole.gradients[0].1, 1e-7, "its gradient through log_softmax");

    let p = softmax(&logits, MATRIX);
    for (p, ln_p) in p.chunks(CLASSES).zip(ln_p.chunks(CLASSES)) {
        assert_close(p.iter().sum(), 1.0, 1e-15, "the sum of a softmax");
        assert_all_close(&ln_p.iter().map(|x| x.exp()).collect::<Vec<_>>(), p, 1e-15, "exp of log_softmax");
    }
    let lse =
        evaluate(&loss("log_sum_exp", &[]), &Named::new().with("logits", tensor(&logits, MATRIX)), Reduction::None);
    assert_all_close(&lse.gradients[0].1, &p, 1e-15, "gradient of log_sum_exp");
    for (row, lse) in lse.loss.iter().enumerate() {
        assert_close(logits[row * CLASSES] - lse, ln_p[row * CLASSES], 1e-14, "log_sum_exp and log_softmax");
    }

    // One class against its absence.
    let binary = pair(&loss("bce_with_logits", &[]), &logits, &one_hot);
    let multilabel = row_pair(&loss("multilabel_soft_margin", &[]), &logits, &one_hot, MATRIX);
    let means: Vec<f64> = binary.loss.chunks(CLASSES).map(|row| row.iter().sum::<f64>() / 5.0).collect();
    assert_all_close(&multilabel.loss, &means, 1e-14, "multilabel_soft_margin");
}

const DIVERGENCES: [&str; 3] = ["forward", "reverse", "jensen_shannon"];

fn distillation(divergence: &'static str, temperature: &'static str) -> AnyLoss {
    let settings = [("divergence", divergence), ("temperature", temperature)];
    AnyLoss::new("distillation", &settings).unwrap()
}

#[test]
fn divergences_behave_as_such() {
    let (student, teacher) = ([0.5, -1.0, 2.0, 3.5, 0.0, -0.25], [1.0, 1.5, -2.0, 0.25, 4.0, 0.0]);
    let shape = [2, 3];
    for temperature in ["0.25", "1", "3"] {
        let of = |divergence, student: &[f64], teacher: &[f64]| {
            row_pair(&distillation(divergence, temperature), student, teacher, &shape)
        };
        for divergence in DIVERGENCES {
            let same = of(divergence, &student, &student);
            assert!(same.loss.iter().chain(&same.gradients[0].1).all(|&x| x == 0.0), "{divergence}: {same:?}");
            // The same amount on top of every logit of a row changes nothing.
            let raised = of(divergence, &student, &student.map(|x| x + 1000.0));
            assert!(
                raised.loss.iter().chain(&raised.gradients[0].1).all(|x| x.abs() < 1e-13),
                "{divergence}: {raised:?}"
            );
            assert!(of(divergence, &student, &teacher).loss.iter().all(|&x| x > 0.0));
        }
        assert_all_close(
            &of("forward", &student, &teacher).loss,
            &of("reverse", &teacher, &student).loss,
            1e-13,
            "reverse",
        );
        let [one, other] = [(&student, &teacher), (&teacher, &student)].map(|(a, b)| of("jensen_shannon", a, b).loss);
        assert_all_close(&one, &other, 1e-14, "jensen_shannon the other way round");
    }
    // A divergence of probabilities that are easy to write down: 1/2, 1/2 against 1/4, 3/4.
    let student = [0.0, f64::from((3_f64.ln()) as f32)];
    let of = |divergence| row_pair(&distillation(divergence, "1"), &student, &[0.0, 0.0], &[1, 2]).loss[0];
    assert_close(of("forward"), 0.5 * (2_f64.ln() + (2.0_f64 / 3.0).ln()), 1e-7, "forward");
    assert_close(of("reverse"), 0.25 * 0.5_f64.ln() + 0.75 * 1.5_f64.ln(), 1e-7, "reverse");
    let mixed = [(0.5, 0.375), (0.5, 0.625), (0.25, 0.375), (0.75, 0.625)].map(|(p, m): (f64, f64)| p * (p / m).ln());
    assert_close(of("jensen_shannon"), 0.5 * mixed.iter().sum::<f64>(), 1e-7, "jensen_shannon");
}

#[test]
fn a_divergence_of_rows_that_nearly_agree_keeps_its_digits() {
    // Around p = ½ with logits ±h/2: KL = h²/8 to the second order both ways, Jensen–Shannon a quarter of that.
    for h in [1e-3, 1e-6, 1e-9] {
        let h = f64::from(h as f32);
        for (divergence, part) in DIVERGENCES.into_iter().zip([1.0, 1.0, 0.25]) {
            // A class that both mask changes nothing.
            let (student, teacher) = ([0.5 * h, -0.5 * h, MASK], [0.0, 0.0, MASK]);
            let found = row_pair(&distillation(divergence, "1"), &student, &teacher, &[1, 3]);
            assert_close(found.loss[0] / (part * h * h / 8.0), 1.0, h * h + 1e-12, divergence);
            assert_close(found.gradients[0].1[0] / (part * h / 4.0), 1.0, h * h + 1e-12, divergence);
            assert_eq!(found.gradients[0].1[2], 0.0);
        }
    }
}

#[test]
fn masked_classes_take_no_part() {
    // Without the masked class the others are a row of their own.
    let (masked, rest) = ([0.5, MASK, -1.0, 2.0], [0.5, -1.0, 2.0]);
    let without = |values: &[f64]| [values[0], values[2], values[3]];
    for settings in [&[] as Settings, &[("z_loss", "0.5"), ("softcap", "3")]] {
        let found = evaluate(&loss("cross_entropy", settings), &rows(&masked, &[3]), Reduction::None);
        let expected = evaluate(&loss("cross_entropy", settings), &rows(&rest, &[2]), Reduction::None);
        assert_eq!((&found.loss, found.gradients[0].1[1]), (&expected.loss, 0.0), "{settings:?}");
        assert_eq!(without(&found.gradients[0].1)[..], expected.gradients[0].1, "{settings:?}");
    }
    let p = softmax(&rest, &[1, 3]);
    for name in ["focal", "multi_margin"] {
        let found = evaluate(&loss(name, &[]), &rows(&masked, &[3]), Reduction::None);
        let expected = evaluate(&loss(name, &[]), &rows(&rest, &[2]), Reduction::None);
        // The mean over the classes counts all four.
        let part = if name == "multi_margin" { 0.75 } else { 1.0 };
        assert_close(found.loss[0], part * expected.loss[0], 1e-15, name);
        assert_eq!(found.gradients[0].1[1], 0.0);
    }

    // Smoothing gives the masked class's share to nobody: ε/4 to each of the other three.
    let ln_p = p.iter().map(|p| p.ln()).collect::<Vec<_>>();
    let epsilon = f64::from(0.2_f32);
    for (smoothing, own, other) in
        [("uniform", 1.0 - epsilon + epsilon / 4.0, epsilon / 4.0), ("others", 1.0 - epsilon, epsilon / 3.0)]
    {
        let settings = [("label_smoothing", "0.2"), ("smoothing", smoothing)];
        let smoothed = AnyLoss::new("cross_entropy", &settings).unwrap();
        let found = evaluate(&smoothed, &rows(&masked, &[3]), Reduction::None);
        assert_close(found.loss[0], -own * ln_p[2] - other * (ln_p[0] + ln_p[1]), 1e-15, smoothing);
        let mass = own + 2.0 * other;
        let expected = [mass * p[0] - other, 0.0, mass * p[1] - other, mass * p[2] - own];
        assert_all_close(&found.gradients[0].1, &expected, 1e-15, smoothing);

        let target_masked = evaluate(&smoothed, &rows(&masked, &[1]), Reduction::None);
        assert_eq!(target_masked.loss, [f64::INFINITY]);
        assert_close(target_masked.gradients[0].1[1], -(1.0 - epsilon), 1e-15, smoothing);
    }

    let soft = |settings, targets: &[f64]| row_pair(&loss("cross_entropy_soft", settings), &masked, targets, &[1, 4]);
    assert_close(soft(&[], &[0.0, 0.0, 0.25, 0.75]).loss[0], -0.25 * ln_p[1] - 0.75 * ln_p[2], 1e-15, "soft");
    assert!(soft(&[("label_smoothing", "0.2")], &[0.0, 0.0, 0.25, 0.75]).loss[0].is_finite());
    let on_masked = soft(&[], &[0.5, 0.5, 0.0, 0.0]);
    assert_eq!(on_masked.loss, [f64::INFINITY]);
    assert_all_close(&on_masked.gradients[0].1, &[p[0] - 0.5, -0.5, p[1], p[2]], 1e-15, "soft target that is masked");

    let absent = loss("multilabel_soft_margin", &[]);
    let found = row_pair(&absent, &[MASK, 0.0, MASK, 0.0], &[0.0, 1.0, 0.5, 1.0], &[2, 2]);
    assert_close(found.loss[0], 0.5 * 2_f64.ln(), 1e-15, "a class that is certainly absent");
    assert_eq!((found.loss[1], &found.gradients[0].1[..2]), (f64::INFINITY, &[0.0, -0.25][..]));

    let target_masked = evaluate(&loss("focal", &[]), &rows(&masked, &[1]), Reduction::None);
    assert_eq!(target_masked.loss, [f64::INFINITY]);
    assert_eq!(target_masked.gradients[0].1[1], -0.25);
}

#[test]
fn a_row_whose_target_is_masked_has_an_infinite_loss() {
    let logits = [0.0, MASK, 0.0, 1.0, MASK, 1.0, MASK, MASK, MASK];
    let masked = evaluate(&loss("cross_entropy", &[]), &rows(&logits, &[0, 1, 2]), Reduction::None);
    assert_eq!(masked.loss, [2_f64.ln(), f64::INFINITY, f64::INFINITY]);
    assert_eq!(masked.gradients[0].1[..3], [-0.5, 0.0, 0.5]);
    assert_eq!(masked.gradients[0].1[3..], [0.5, -1.0, 0.5, 0.0, 0.0, -1.0]);
}

#[test]
fn functions_of_rows_mask_too() {
    let shape = [2, 3];
    let inputs = Named::new().with("logits", tensor(&[0.0, MASK, 0.0, MASK, MASK, MASK], &shape));
    let of = |name| evaluate(&loss(name, &[]), &inputs, Reduction::None);
    let lse = of("log_sum_exp");
    assert_eq!((lse.loss, &lse.gradients[0].1), (vec![2_f64.ln(), MASK], &vec![0.5, 0.0, 0.5, 0.0, 0.0, 0.0]));
    assert_eq!(of("softmax").loss, [0.5, 0.0, 0.5, 0.0, 0.0, 0.0]);
    assert_eq!(of("softmax").gradients[0].1, [0.0; 6]);
    assert_eq!(of("log_softmax").loss, [-2_f64.ln(), MASK, -2_f64.ln(), MASK, MASK, MASK]);
}

#[test]
fn a_divergence_weighs_masked_classes_as_the_formula_says() {
    let both = |divergence, student: &[f64], teacher: &[f64]| {
        row_pair(&distillation(divergence, "1"), student, teacher, &[1, student.len()])
    };
    let (some, all) = ([0.0, 0.0, MASK], [0.0, 0.0, 0.0]);
    // Half of the teacher's mass lies on each of two classes, a third of the student's on each of three.
    assert_close(both("forward", &all, &some).loss[0], 1.5_f64.ln(), 1e-15, "forward");
    assert_all_close(
        &both("forward", &all, &some).gradients[0].1,
        &[1.0 / 3.0 - 0.5, 1.0 / 3.0 - 0.5, 1.0 / 3.0],
        1e-15,
        "gradient of forward",
    );
    assert_eq!(both("forward", &some, &all).loss, [f64::INFINITY]);
    assert_close(both("reverse", &some, &all).loss[0], 1.5_f64.ln(), 1e-15, "reverse");
    assert_eq!(both("reverse", &some, &all).gradients[0].1[2], 0.0);
    assert_eq!(both("reverse", &all, &some).loss, [f64::INFINITY]);
    for (student, teacher) in [(some, all), (all, some)] {
        let found = both("jensen_shannon", &student, &teacher);
        let [half, third, mid]: [f64; 3] = [0.5, 1.0 / 3.0, 5.0 / 12.0];
        let kl = 2.0 * half * (half / mid).ln() + 2.0 * third * (third / mid).ln() + third * 2_f64.ln();
        assert_close(found.loss[0], 0.5 * kl, 1e-15, "jensen_shannon");
        assert!(found.gradients[0].1.iter().all(|x| x.is_finite()));
    }
    // Nothing in common: ln 2 is the most there is.
    let disjoint = both("jensen_shannon", &[0.0, MASK], &[MASK, 0.0]);
    assert_close(disjoint.loss[0], 2_f64.ln(), 1e-15, "jensen_shannon of disjoint rows");
    for distance in [100.0, 720.0, 1e4, 3e38] {
        for divergence in DIVERGENCES {
            let far = both(divergence, &[distance, 0.0], &[0.0, distance]);
            assert!(far.loss.iter().chain(&far.gradients[0].1).all(|x| x.is_finite()), "{divergence}: {far:?}");
        }
    }
}

#[test]
fn sure_rows_keep_their_relative_accuracy() {
    let sure = (-30_f64).exp();
    let row = [0.0, 30.0];
    let relative = |found: f64, expected: f64, what: &str| assert_close(found / expected, 1.0, 1e-12, what);

    let soft = row_pair(&loss("cross_entropy_soft", &[]), &row, &[0.0, 1.0], &[1, 2]);
    relative(soft.loss[0], sure, "cross_entropy_soft");
    relative(soft.gradients[0].1[1], -sure, "gradient of cross_entropy_soft");
    let weighted = rows(&row, &[1]).with("class_weight", tensor(&[7.0, 0.5], &[2]));
    relative(evaluate(&loss("cross_entropy", &[]), &weighted, Reduction::Sum).loss[0], 0.5 * sure, "weighted");

    for (gamma, settings) in [(0.0, &[("gamma", "0")] as Settings), (0.5, &[("gamma", "0.5")]), (2.0, &[])] {
        let focal = evaluate(&loss("focal", settings), &rows(&row, &[1]), Reduction::Sum);
        relative(focal.loss[0], 0.25 * sure.powf(1.0 + gamma), "focal");
        relative(focal.gradients[0].1[0], 0.25 * (1.0 + gamma) * sure.powf(1.0 + gamma), "gradient of focal");
    }
    let upstream = Named::new().with("logits", tensor(&row, &[1, 2])).with("upstream", tensor(&[3.0, 5.0], &[1, 2]));
    let softmax = evaluate(&loss("softmax", &[]), &upstream, Reduction::None);
    relative(softmax.gradients[0].1[1], 2.0 * sure, "gradient of softmax");
    let log_softmax = evaluate(&loss("log_softmax", &[]), &upstream, Reduction::None);
    relative(log_softmax.loss[1], -sure, "log_softmax");
    assert_close(log_softmax.gradients[0].1[1], -3.0, 1e-11, "gradient of log_softmax");

    for x in [100.0, 1e4, 3e38] {
        for gamma in [&[("gamma", "0")] as Settings, &[("gamma", "0.5")], &[("gamma", "1")], &[("gamma", "3.5")]] {
            let focal = evaluate(&loss("focal", gamma), &rows(&[0.0, x, 0.0, x], &[0, 1]), Reduction::None);
            assert!(focal.loss.iter().chain(&focal.gradients[0].1).all(|x| x.is_finite()), "{focal:?}");
            assert_close(focal.loss[0], 0.25 * f64::from(x as f32), 1e-15 * x, "focal of a wrong row");
        }
    }
}

#[test]
fn class_weights_weigh_rows_and_divide_means() {
    let weights = [0.5, 2.0, 0.0];
    let inputs = rows(&[0.0; 12], &[0, 1, 2, -100]).with("class_weight", tensor(&weights, &[3]));
    let ln = 3_f64.ln();
    let of = |name, inputs: &Named<HostTensor<'static>>, reduction| evaluate(&loss(name, &[]), inputs, reduction);
    let none = of("cross_entropy", &inputs, Reduction::None);
    assert_all_close(&none.loss, &[0.5 * ln, 2.0 * ln, 0.0, 0.0], 1e-15, "weighted rows");
    let mean = of("cross_entropy", &inputs, Reduction::Mean);
    assert_close(mean.loss[0], ln, 1e-15, "a mean over class weights");
    assert_eq!(mean.items, 3);
    assert_close(of("focal", &inputs, Reduction::Mean).loss[0], 2.5 / 9.0 * ln / 3.0, 1e-15, "a mean over rows");

    let weighted = inputs.with("weight", tensor(&[4.0, 0.25, 1.0, 8.0], &[4]));
    let found = of("cross_entropy", &weighted, Reduction::WeightedMean).loss[0];
    assert_close(found, ln, 1e-15, "a weighted mean over class weights");
    let found = of("cross_entropy", &weighted, Reduction::Mean).loss[0];
    assert_close(found, 2.5 * ln / 2.5, 1e-15, "a mean of weighted rows");

    // Only the class without weight is left: nothing to divide by, and the z-term goes with it.
    let weightless = rows(&[1.0, 2.0, 3.0], &[2]).with("class_weight", tensor(&weights, &[3]));
    let z = evaluate(&loss("cross_entropy", &[("z_loss", "0.5")]), &weightless, Reduction::Mean);
    assert_eq!((z.loss, z.gradients[0].1.clone(), z.items), (vec![0.0], vec![0.0; 3], 1));
    let z = evaluate(&loss("cross_entropy", &[("z_loss", "0.5")]), &weightless, Reduction::Sum).loss[0];
    let lse = 3.0 + ((-1_f64).exp() + (-2_f64).exp()).ln_1p();
    assert_close(z, 0.5 * lse * lse, 1e-14, "the z-term alone");
}

#[test]
fn rows_that_are_all_ignored_have_no_loss() {
    for loss in row_losses() {
        let Some(ignored) = ignore_index(&loss) else { continue };
        let first = loss.spec().inputs[0].name;
        let logits = tensor(&[1.0, 2.0, f64::NAN, f64::INFINITY, 0.0, 1.0], &[2, 3]);
        let target = classes(&[ignored; 2], &[2]);
        let mut inputs = Named::new().with(first, logits.clone()).with("target", target);
        for input in &loss.spec().inputs[1..] {
            inputs = match input.shape {
                Shape::Rows => inputs.with(input.name, logits.clone()),
                Shape::Classes => inputs.with(input.name, tensor(&[f64::NAN, -1.0, 0.5], &[3])),
                _ if input.kind == Kind::Index => inputs,
                _ => inputs.with(input.name, tensor(&[f64::NAN, 0.5], &[2])),
            };
        }
        for reduction in Reduction::ALL {
            let result = evaluate(&loss, &inputs, reduction);
            assert!(result.loss.iter().chain(&result.gradients[0].1).all(|&x| x == 0.0), "{}", described(&loss));
            assert_eq!((result.items, result.correct), (0, Some(0)));
        }
    }
}

#[test]
fn statistics_are_those_of_the_logits_as_the_loss_sees_them() {
    let asked = |statistics| Options { statistics, ..Options::new(Reduction::Sum) };
    let both = asked(Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() });
    // Ties, a masked class, nothing but masked classes, a row to show, and one that is ignored.
    let logits = [
        [1.0, 3.0, 3.0],
        [MASK, -2.0, -2.0],
        [MASK; 3],
        [f64::NAN, 1.0, 2.0],
        [0.0, f64::INFINITY, 2.0],
        [4.0, 0.0, 0.0],
    ];
    let targets = [1, 2, 0, 2, 1, -100];
    let inputs = rows(logits.as_flattened(), &targets);
    let found = evaluate(&loss("cross_entropy", &[]), &inputs, both);
    let ln_sum = |logits: &[f64]| logits.iter().map(|x| x.exp()).sum::<f64>().ln();
    let expected = [ln_sum(&logits[0]), ln_sum(&logits[1]), MASK, f64::NAN, f64::NAN, ln_sum(&logits[5])];
    assert_all_close(&found.log_sum_exp, &expected, 1e-14, "log_sum_exp");
    assert_eq!(found.argmax, [1, 1, 0, -1, -1, 0]);
    // The first and the third row: in the second the other class comes first, the ignored row does not count.
    assert_eq!((found.correct, found.items), (Some(2), 5));
    let unasked = evaluate(&loss("cross_entropy", &[]), &inputs, Reduction::Sum);
    assert!(unasked.log_sum_exp.is_empty() && unasked.argmax.is_empty());
    assert_eq!(unasked.correct, Some(2));

    let row = [1.0, -2.0, 4.0];
    let capped = evaluate(&loss("cross_entropy", &[("softcap", "0.5")]), &rows(&row, &[0]), both);
    assert_close(capped.log_sum_exp[0], ln_sum(&row.map(|x| 0.5 * (x / 0.5_f64).tanh())), 1e-15, "with a softcap");
    // What a softcap makes equal is still told apart.
    let saturated = evaluate(&loss("cross_entropy", &[("softcap", "0.5")]), &rows(&[1e3, 1e4, 0.0], &[1]), both);
    assert_eq!((saturated.argmax, saturated.correct), (vec![1], Some(1)));

    let distillation = distillation("forward", "2");
    let student = Named::new().with("logits", tensor(&row, &[1, 3])).with("teacher_logits", tensor(&[5.0; 3], &[1, 3]));
    let tempered = evaluate(&distillation, &student, both);
    assert_close(tempered.log_sum_exp[0], ln_sum(&row.map(|x| x / 2.0)), 1e-15, "with a temperature");
    assert_eq!((tempered.argmax, tempered.correct), (vec![2], None));

    let margin = evaluate(
        &loss("multi_margin", &[]),
        &rows(&row, &[2]),
        asked(Statistics { argmax: true, log_sum_exp: false, ..Statistics::default() }),
    );
    assert_eq!((margin.argmax, margin.correct), (vec![2], Some(1)));
    for (name, statistic) in [("distillation", "log_prob"), ("multi_margin", "entropy"), ("log_softmax", "log_prob")] {
        let loss = loss(name, &[]);
        let inputs = inputs_for(&loss, MATRIX, Reduction::None, false, 0);
        let [entropy, log_prob] = ["entropy", "log_prob"].map(|name| name == statistic);
        let statistics = Statistics { entropy, log_prob, ..Statistics::default() };
        let refused = reference::evaluate(&loss, &inputs, &Options { statistics, ..Options::new(Reduction::None) });
        assert_eq!(refused, Err(Error::Statistic { loss: loss.spec().name, statistic }), "{name}");
    }
    for name in ["nll", "multi_margin", "multilabel_soft_margin", "mse"] {
        let inputs = inputs_for(&loss(name, &[]), MATRIX, Reduction::Sum, false, 0);
        let refused = reference::evaluate(&loss(name, &[]), &inputs, &both);
        let expected = Error::Statistic { loss: loss(name, &[]).spec().name, statistic: "log_sum_exp" };
        assert_eq!(refused, Err(expected), "{name}");
    }
}

#[test]
fn rows_out_of_range_are_counted() {
    let target = |name: &'static str, inputs: &Named<HostTensor<'_>>, count, first| {
        let found = reference::evaluate(&loss(name, &[]), inputs, &Reduction::Mean.into());
        assert_eq!(out_of_range(&found.unwrap_err()), (name, count, first));
    };
    target("focal", &rows(&[0.0; 10], &[1, 2, -1, 0, -100]), 2, 1);
    target("multi_margin", &rows(&[0.0; 6], &[1, -100, 2]), 1, 2);
    let soft = |targets: &[f64]| {
        Named::new().with("logits", tensor(&[0.0; 6], &[3, 2])).with("target_probabilities", tensor(targets, &[3, 2]))
    };
    for name in ["cross_entropy_soft", "multilabel_soft_margin"] {
        target(name, &soft(&[0.5, 0.5, 0.25, 1.5, -0.125, 2.0]), 2, 1);
        let nan = evaluate(&loss(name, &[]), &soft(&[0.5, 0.5, f64::NAN, 0.0, 1.0, 0.0]), Reduction::None);
        assert!(nan.loss[1].is_nan() && nan.loss[0].is_finite() && nan.loss[2].is_finite(), "{name}");
    }
    // A weight below 0 is everybody's, but for the rows that are ignored anyway.
    let negative = rows(&[0.0; 6], &[-100, 1, 0]).with("class_weight", tensor(&[1.0, -0.5], &[2]));
    target("cross_entropy", &negative, 2, 1);
    let nan = rows(&[0.0; 6], &[-100, 1, 0]).with("class_weight", tensor(&[f64::NAN, 0.5], &[2]));
    let nan = evaluate(&loss("cross_entropy", &[]), &nan, Reduction::None);
    assert!(nan.loss[0] == 0.0 && nan.loss[1..].iter().all(|x| x.is_nan()));
}

#[test]
fn what_does_not_fit_a_row_loss_is_refused() {
    let refused = |loss: &AnyLoss, inputs: &Named<HostTensor<'_>>, reduction: Reduction| {
        reference::evaluate(loss, inputs, &reduction.into()).expect_err(&described(loss))
    };
    let cross_entropy = loss("cross_entropy", &[]);
    let shape_of = |error| match error {
        Error::Shape { tensor, expected, found, .. } => (tensor, expected, found),
        other => panic!("{other}"),
    };
    let given = |shape: &[usize], target: &[usize]| {
        let elements = |shape: &[usize]| shape.iter().product::<usize>();
        Named::new()
            .with("logits", tensor(&vec![0.0; elements(shape)], shape))
            .with("target", classes(&vec![0; elements(target)], target))
    };
    for shape in [&[0_usize][..], &[3, 0]] {
        let error = refused(&cross_entropy, &given(shape, &[3]), Reduction::Sum);
        let expected = "[C], [N, C] or [N, C, d1, …] with C ≥ 1".to_string();
        assert_eq!(shape_of(error), ("logits", expected, shape.to_vec()));
    }
    let others = loss("cross_entropy", &[("smoothing", "others"), ("label_smoothing", "0.1")]);
    let error = refused(&others, &given(&[3, 1], &[3]), Reduction::Sum);
    assert_eq!(shape_of(error).1, "[C], [N, C] or [N, C, d1, …] with C ≥ 2");
    // One row has one target.
    let error = refused(&cross_entropy, &given(&[3], &[3]), Reduction::Sum);
    assert_eq!(
        shape_of(error),
        (
            "target",
            "[], class indices; values for each class are the target of `cross_entropy_soft`".to_string(),
            vec![3]
        )
    );
    // The targets of [N, C, d] are [N, d].
    let error = refused(&cross_entropy, &given(&[3, 2, 4], &[3]), Reduction::Sum);
    assert_eq!(shape_of(error), ("target", "[3, 4]".to_string(), vec![3]));
    let weights = given(&[3, 2], &[3]).with("class_weight", tensor(&[1.0; 3], &[3]));
    let error = refused(&cross_entropy, &weights, Reduction::Sum);
    assert_eq!(shape_of(error), ("class_weight", "[2] or [3, 2]".to_string(), vec![3]));
    let offsets = given(&[3, 2], &[3]).with("class_offset", tensor(&[1.0; 3], &[3]));
    let error = refused(&cross_entropy, &offsets, Reduction::Sum);
    assert_eq!(shape_of(error), ("class_offset", "[2] or [3, 2]".to_string(), vec![3]));
    let teacher =
        Named::new().with("logits", tensor(&[0.0; 4], &[2, 2])).with("teacher_logits", tensor(&[0.0; 4], &[1, 4]));
    let error = refused(&loss("distillation", &[]), &teacher, Reduction::Sum);
    assert_eq!(shape_of(error), ("teacher_logits", "[2, 2]".to_string(), vec![1, 4]));

    for name in ["softmax", "log_softmax"] {
        let function = loss(name, &[]);
        let logits = Named::new().with("logits", tensor(&[0.0; 4], &[2, 2]));
        for reduction in Reduction::ALL.into_iter().filter(|reduction| *reduction != Reduction::None) {
            let expected = Error::PerClassReduction { loss: function.spec().name, reduction };
            assert_eq!(refused(&function, &logits, reduction), expected);
        }
        let per_row = logits.with("upstream", tensor(&[1.0; 3], &[3]));
        let error = refused(&function, &per_row, Reduction::None);
        assert_eq!(shape_of(error), ("upstream", "[1] or [2, 2]".to_string(), vec![3]));
    }
}

/// Entropy and log-probability of the target, with all their digits, and for rows that do not count.
#[test]
fn entropy_and_log_probability_of_the_target_are_statistics() {
    let statistics = Statistics { entropy: true, log_prob: true, ..Statistics::default() };
    let of = |loss: &AnyLoss, logits: &[f64], targets: &[i32]| {
        let options = Options { statistics, ..Options::new(Reduction::Sum) };
        evaluate(loss, &rows(logits, targets), options)
    };
    let cross_entropy = loss("cross_entropy", &[]);
    let row = [0.5, -1.0, 2.0, 0.0];
    let found = of(&cross_entropy, &row, &[2]);
    assert_close(found.entropy[0], 0.878281175, 1e-9, "entropy");
    assert_close(found.log_prob[0], -found.loss[0], 1e-15, "log_prob");
    // Sure of a class by 60: what it is not sure of is e⁻⁶⁰ a class, and its surprise 60 and a 1 of the other's.
    let sure = of(&cross_entropy, &[60.0, 0.0, MASK], &[0]);
    assert_close(sure.entropy[0] / (61.0 * (-60.0_f64).exp()), 1.0, 1e-14, "of a sure row");
    assert_close(sure.log_prob[0] / -(-60.0_f64).exp(), 1.0, 1e-14, "of a sure row");
    // All classes alike, a single class left, none left, NaN, and one that is ignored.
    let logits = [[1.0; 3], [MASK, 0.0, MASK], [MASK; 3], [0.0, f64::NAN, 0.0], [1.0; 3]];
    let found = of(&loss("focal", &[]), logits.as_flattened(), &[0, 0, 0, 0, -100]);
    assert_all_close(&found.entropy, &[3_f64.ln(), 0.0, 0.0, f64::NAN, 3_f64.ln()], 1e-15, "entropy");
    assert_all_close(&found.log_prob, &[-(3_f64.ln()), MASK, MASK, f64::NAN, 0.0], 1e-15, "log_prob");
}

#[test]
fn an_entropy_bonus_subtracts_the_entropy_with_its_gradient() {
    let row = [0.5, -1.0, 2.0, 0.0];
    let of = |bonus| evaluate(&loss("cross_entropy", &[("entropy_bonus", bonus)]), &rows(&row, &[1]), Reduction::Sum);
    let [plain, with] = ["0", "1"].map(of);
    assert_close(plain.loss[0] - with.loss[0], 0.878281175, 1e-9, "entropy");
    let gradient = plain.gradients[0].1.iter().zip(&with.gradients[0].1).map(|(plain, with)| plain - with);
    let expected = [0.1527515, 0.0871142, -0.3805650, 0.1406993];
    assert_all_close(&gradient.collect::<Vec<_>>(), &expected, 1e-7, "its gradient");
}

/// A class's offset is one of its logits, behind the softcap.
#[test]
fn offsets_of_classes_are_added_to_what_the_loss_sees() {
    let (logits, offsets) = ([[0.5, -1.0, 2.0], [3.0, 0.0, -4.0]], [2.0, 0.25, -1.0]);
    let statistics =
        Statistics { log_sum_exp: true, argmax: true, entropy: true, log_prob: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::None) };
    let targets = [1, 0];
    let with = |offsets: &[f64], shape: &[usize]| {
        rows(logits.as_flattened(), &targets).with("class_offset", tensor(offsets, shape))
    };
    let given = with(&offsets, &[3]);
    for settings in [&[] as Settings, &[("label_smoothing", "0.25"), ("entropy_bonus", "0.5"), ("z_loss", "0.5")]] {
        let moved = logits.map(|row| [row[0] + offsets[0], row[1] + offsets[1], row[2] + offsets[2]]);
        let expected = evaluate(&loss("cross_entropy", settings), &rows(moved.as_flattened(), &targets), options);
        let found = evaluate(&loss("cross_entropy", settings), &given, options);
        assert_eq!(found, expected);
    }
    let capped = evaluate(&loss("cross_entropy", &[("softcap", "1")]), &given, options);
    let seen = logits.map(|row| [0, 1, 2].map(|class| row[class].tanh() + offsets[class]));
    let expected = seen.map(|row| row.map(f64::exp).iter().sum::<f64>().ln());
    assert_all_close(&capped.log_sum_exp, &expected, 1e-14, "with a softcap");
    assert_eq!(capped.argmax, [0, 0]);
    // Each row's own offsets are the same as those of all.
    let by_row = with(&[offsets, offsets].concat(), &[2, 3]);
    assert_eq!(evaluate(&loss("cross_entropy", &[("softcap", "1")]), &by_row, options), capped);
}

#[test]
fn parameters_of_row_losses_keep_their_rules() {
    for (name, parameter, bad) in [
        ("cross_entropy", "label_smoothing", "1.1"),
        ("cross_entropy", "label_smoothing", "-0.1"),
        ("cross_entropy", "smoothing", "some"),
        ("cross_entropy", "z_loss", "-1"),
        ("cross_entropy", "softcap", "-1"),
        ("cross_entropy", "softcap", "inf"),
        ("cross_entropy", "entropy_bonus", "inf"),
        ("cross_entropy_soft", "label_smoothing", "1.5"),
        ("focal", "gamma", "-1"),
        ("focal", "alpha", "-0.25"),
        ("focal", "ignore_index", "0.5"),
        ("distillation", "temperature", "0"),
        ("distillation", "divergence", "backward"),
        ("multi_margin", "p", "3"),
        ("multi_margin", "margin", "NaN"),
    ] {
        match AnyLoss::new(name, &[(parameter, bad)]) {
            Err(Error::Parameter { loss, parameter: refused, found, .. }) => {
                assert_eq!((loss, refused, &found[..]), (name, parameter, bad));
            }
            other => panic!("{name} {parameter}={bad}: {other:?}"),
        }
    }
}

/// Rows that there are not have no classes to keep anything of, however many.
#[test]
fn no_rows_of_many_classes_are_nothing() {
    let no_values = |shape: &[usize], dtype| HostTensor::from_bytes(dtype, shape, Vec::new()).unwrap();
    let logits = no_values(&[0, u32::MAX as usize], DType::F32);
    let inputs = Named::new().with("logits", logits).with("target", no_values(&[0], DType::I32));
    let found = evaluate(&loss("cross_entropy", &[]), &inputs, Reduction::Mean);
    assert_eq!((found.loss, found.items, found.gradients), (vec![0.0], 0, vec![("logits", Vec::new())]));
}
