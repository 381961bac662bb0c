//! Losses of the logits that heads make of hidden states.

use wgloss::{
    CrossEntropy, CrossEntropySoft, Distillation, Focal, HostTensor, LinearCrossEntropy, LinearCrossEntropySoft,
    LinearDistillation, LinearFocal, Loss, Named, Options, Reduction, Statistics,
    spec::{Driver, LossSpec, Value},
};

use super::{assert_all_close, assert_close, classes, evaluate, tensor, values_of};

/// The input that has the class of each item.
pub fn target(spec: &LossSpec) -> &'static str {
    match spec.driver {
        Driver::Linear(linear) => linear.target,
        _ => "target",
    }
}

/// The item whose target a row is held to: `shift` places behind it, in the same sequence. Losses without a shift, and
/// those of other drivers, take each item's own.
pub fn place_of_target(loss: &dyn Loss, shape: &[usize], item: usize) -> Option<usize> {
    let shift = match values_of(loss).get("shift") {
        Some(Value::Integer(shift)) => shift as usize,
        _ => return Some(item),
    };
    // The last axis of the first input is that of the hidden state's values.
    let sequence = if matches!(loss.spec().driver, Driver::Linear(_)) { shape[shape.len() - 2] } else { 1 };
    (item % sequence + shift < sequence).then_some(item + shift)
}

/// Three rows of two values, and four classes.
fn three_rows() -> Named<HostTensor<'static>> {
    Named::new()
        .with("hidden", tensor(&[0.5, -1.0, 2.0, 0.25, -0.75, 1.5], &[3, 2]))
        .with("weight", tensor(&[1.0, 0.5, -0.5, 2.0, 0.25, -1.5, 1.5, 1.0], &[4, 2]))
        .with("bias", tensor(&[0.1, -0.2, 0.3, 0.0], &[4]))
        .with("target", classes(&[2, 3, -100], &[3]))
}

/// The inputs with another tensor for one of them.
fn with(inputs: &Named<HostTensor<'static>>, name: &str, other: HostTensor<'static>) -> Named<HostTensor<'static>> {
    let tensor_of = |(known, tensor): (&str, &HostTensor<'static>)| {
        (known.to_string(), if known == name { other.clone() } else { tensor.clone() })
    };
    inputs.iter().map(tensor_of).collect()
}

#[test]
fn worked_values() {
    let found = evaluate(&LinearCrossEntropy::default(), &three_rows(), Reduction::Mean);
    assert_close(found.loss[0], 0.307721742, 1e-9, "loss");
    let expected: [(&str, &[f64]); 3] = [
        ("hidden", &[0.0984463, 0.2526437, -0.1015902, -0.1072853, 0.0, 0.0]),
        ("weight", &[0.2809284, -0.0314102, 0.0158403, -0.0032144, -0.0145500, 0.1167823, -0.2822187, -0.0821576]),
        ("bias", &[0.1874239, 0.0115869, -0.0909934, -0.1080174]),
    ];
    assert_eq!(found.gradients.len(), expected.len());
    for ((name, gradient), (of, expected)) in found.gradients.iter().zip(expected) {
        assert_eq!(*name, of);
        assert_all_close(gradient, expected, 1e-7, name);
    }
    assert_eq!((found.items, found.correct), (2, Some(2)));
}

/// Products of few bits, so that logits are exact in f32 too.
fn grid(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7 + seed * 5) % 17) as f64 / 8.0 - 1.0).collect()
}

#[test]
fn a_loss_is_that_of_the_logits_which_the_head_makes() {
    const ROWS: usize = 6;
    const SIZE: usize = 3;
    const CLASSES: usize = 5;
    let (scale, temperature) = (2.0, 4.0);
    let head = |seed| {
        let (hidden, weight, bias) = (grid(ROWS * SIZE, seed), grid(CLASSES * SIZE, seed + 1), grid(CLASSES, seed + 2));
        let mut logits = Vec::new();
        for row in hidden.chunks(SIZE) {
            for (class, b) in weight.chunks(SIZE).zip(&bias) {
                logits.push(row.iter().zip(class).map(|(h, w)| h * w).sum::<f64>() + b);
            }
        }
        (hidden, weight, bias, logits)
    };
    let (hidden, weight, bias, logits) = head(1);
    let teacher = head(5);
    let scaled =
        |logits: &[f64], factor: f64| tensor(&logits.iter().map(|x| x * factor).collect::<Vec<_>>(), &[ROWS, CLASSES]);
    let target = classes(&[2, -100, 4, 0, 1, 1], &[ROWS]);
    let soft: Vec<f64> = (0..ROWS * CLASSES).map(|i| [0.0, 0.25, 0.5, 0.25, 0.0][(i + i / CLASSES) % 5]).collect();
    let class_weight = tensor(&[0.5, 1.0, 2.0, 0.25, 1.0], &[CLASSES]);
    let item_weight = tensor(&[1.0, 0.5, 2.0, 0.0, 1.5, 0.25], &[ROWS]);

    let (scale_of, temperature_of) = (scale as f32, temperature as f32);
    let cross_entropy = LinearCrossEntropy {
        label_smoothing: 0.25,
        z_loss: 0.5,
        logit_scale: scale_of,
        temperature: temperature_of,
        ..Default::default()
    };
    let focal = LinearFocal { gamma: 1.5, logit_scale: scale_of, temperature: temperature_of, ..Default::default() };
    let soft_targets =
        LinearCrossEntropySoft { label_smoothing: 0.25, logit_scale: scale_of, temperature: temperature_of };
    let distillation = LinearDistillation { logit_scale: scale_of, temperature: temperature_of, ..Default::default() };
    let of_rows: [(&dyn Loss, &dyn Loss); 4] = [
        (&cross_entropy, &CrossEntropy { label_smoothing: 0.25, z_loss: 0.5, ..Default::default() }),
        (&focal, &Focal { gamma: 1.5, ..Default::default() }),
        (&soft_targets, &CrossEntropySoft { label_smoothing: 0.25 }),
        (&distillation, &Distillation { temperature: temperature_of, ..Default::default() }),
    ];
    for (linear, plain) in of_rows {
        // What the row loss divides by the temperature itself.
        let factor = if linear.spec().name == "linear_distillation" { scale } else { scale / temperature };
        let given: Named<HostTensor<'static>> = Named::new()
            .with("hidden", tensor(&hidden, &[ROWS, SIZE]))
            .with("weight", tensor(&weight, &[CLASSES, SIZE]))
            .with("bias", tensor(&bias, &[CLASSES]))
            .with("teacher_hidden", tensor(&teacher.0, &[ROWS, SIZE]))
            .with("teacher_weight", tensor(&teacher.1, &[CLASSES, SIZE]))
            .with("teacher_bias", tensor(&teacher.2, &[CLASSES]))
            .with("target", target.clone())
            .with("target_probabilities", tensor(&soft, &[ROWS, CLASSES]))
            .with("class_weight", class_weight.clone())
            .with("item_weight", item_weight.clone());
        let stored = Named::new()
            .with("logits", scaled(&logits, factor))
            .with("teacher_logits", scaled(&teacher.3, factor))
            .with("target", target.clone())
            .with("target_probabilities", tensor(&soft, &[ROWS, CLASSES]))
            .with("class_weight", class_weight.clone())
            .with("weight", item_weight.clone());
        let of = |loss: &dyn Loss, all: &Named<HostTensor<'static>>| -> Named<HostTensor<'static>> {
            let taken = all.iter().filter(|(name, _)| loss.spec().input(name).is_some());
            taken.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect()
        };
        for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean, Reduction::WeightedMean] {
            let what = format!("{} {reduction}", linear.spec().name);
            let found = evaluate(linear, &of(linear, &given), reduction);
            let expected = evaluate(plain, &of(plain, &stored), reduction);
            assert_all_close(&found.loss, &expected.loss, 1e-13, &what);
            assert_eq!((found.items, found.correct), (expected.items, expected.correct), "{what}");
            let of_logits: Vec<f64> = expected.gradients[0].1.iter().map(|g| g * factor).collect();
            let (mut rows, mut head) = (vec![0.0; ROWS * SIZE], vec![0.0; CLASSES * SIZE]);
            let mut biases = vec![0.0; CLASSES];
            for row in 0..ROWS {
                for class in 0..CLASSES {
                    let g = of_logits[row * CLASSES + class];
                    biases[class] += g;
                    for d in 0..SIZE {
                        rows[row * SIZE + d] += g * weight[class * SIZE + d];
                        head[class * SIZE + d] += g * hidden[row * SIZE + d];
                    }
                }
            }
            for (name, expected) in [("hidden", rows), ("weight", head), ("bias", biases)] {
                let gradient = &found.gradients.iter().find(|(of, _)| *of == name).unwrap().1;
                assert_all_close(gradient, &expected, 1e-13, &format!("{what}: {name}"));
            }
        }
    }
}

#[test]
fn rows_that_do_not_count_leave_nothing() {
    let asked = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let options = |reduction| Options { statistics: asked, ..Options::new(reduction) };
    let loss = LinearCrossEntropy::default();
    let two = evaluate(&loss, &three_rows(), options(Reduction::Mean));
    let inputs = with(&three_rows(), "hidden", tensor(&[0.5, -1.0, 2.0, 0.25, f64::NAN, f64::NAN], &[3, 2]));
    let found = evaluate(&loss, &inputs, options(Reduction::Mean));
    assert_eq!((&found.loss, &found.gradients), (&two.loss, &two.gradients));
    assert!(found.log_sum_exp[2].is_nan() && found.log_sum_exp[..2].iter().all(|x| x.is_finite()));
    assert_eq!(found.argmax, [2, 3, -1]);

    let none = with(&inputs, "target", classes(&[-100; 3], &[3]));
    for reduction in Reduction::ALL {
        let found = evaluate(&loss, &none, reduction);
        assert!(found.loss.iter().chain(found.gradients.iter().flat_map(|(_, g)| g)).all(|&x| x == 0.0));
        assert_eq!((found.items, found.correct), (0, Some(0)));
    }
}

#[test]
fn a_shift_holds_rows_to_the_targets_behind_them() {
    let (sequences, length) = (2, 5);
    let given = |target: &[i32]| {
        Named::new()
            .with("hidden", tensor(&grid(sequences * length * 3, 1), &[sequences, length, 3]))
            .with("weight", tensor(&grid(12, 2), &[4, 3]))
            .with("target", classes(target, &[sequences, length]))
    };
    let target = [1, 0, 3, -100, 2, 3, 3, 0, 1, 2];
    for shift in [0, 1, 3, 4, 5, 100] {
        let moved: Vec<i32> = (0..target.len())
            .map(|row| if row % length + shift < length { target[row + shift] } else { -100 })
            .collect();
        let shifted = LinearCrossEntropy { shift: shift as i32, ..Default::default() };
        for reduction in Reduction::ALL {
            let found = evaluate(&shifted, &given(&target), reduction);
            assert_eq!(found, evaluate(&LinearCrossEntropy::default(), &given(&moved), reduction), "shift {shift}");
        }
    }
}
