//! Divergences of a student from a teacher: worked values, and what they do at the ends of their shares.

use wgloss::{
    AnyLoss, Error, Named, Reduction,
    reference::{self, Evaluation},
};

use super::{assert_all_close, assert_close, classes, evaluate, loss, tensor};

const STUDENT: [f64; 3] = [0.2, 0.7, -1.0];
const TEACHER: [f64; 3] = [1.0, 0.0, -0.5];

fn one(loss: &AnyLoss, student: &[f64], teacher: &[f64]) -> Evaluation {
    let shape = [1, student.len()];
    let inputs = Named::new().with("logits", tensor(student, &shape)).with("teacher_logits", tensor(teacher, &shape));
    evaluate(loss, &inputs, Reduction::None)
}

fn jensen_shannon(beta: &str, temperature: &str) -> AnyLoss {
    loss("jensen_shannon", &[("beta", beta), ("temperature", temperature)])
}

#[test]
fn worked_values() {
    for (beta, expected, gradient) in [
        ("0", 0.056541196, Some([-0.0640106, 0.0807544, -0.0167438])),
        ("0.1", 0.005104729, None),
        ("0.5", 0.014421957, Some([-0.0159463, 0.0206417, -0.0046954])),
        ("0.9", 0.005321032, None),
        ("1", 0.059567314, Some([-0.0651305, 0.0863450, -0.0212145])),
    ] {
        let found = one(&jensen_shannon(beta, "2"), &STUDENT, &TEACHER);
        // Logits and β are f32.
        assert_close(found.loss[0], expected, 1e-8, beta);
        if let Some(gradient) = gradient {
            assert_all_close(&found.gradients[0].1, &gradient, 1e-7, beta);
        }
    }
    let found = one(&loss("total_variation", &[]), &STUDENT, &TEACHER);
    assert_close(found.loss[0], 0.327680681, 2e-8, "total_variation");
    assert_all_close(&found.gradients[0].1, &[-0.1894646, 0.2465303, -0.0570656], 1e-7, "total_variation");
}

fn top_k(settings: &[(&str, &str)], logits: &[f64], given: &[i32], ln_p: &[f64]) -> Evaluation {
    let inputs = Named::new()
        .with("logits", tensor(logits, &[1, logits.len()]))
        .with("teacher_indices", classes(given, &[1, given.len()]))
        .with("teacher_log_probs", tensor(ln_p, &[1, given.len()]));
    evaluate(&loss("jensen_shannon_top_k", settings), &inputs, Reduction::None)
}

const LOGITS: [f64; 4] = [0.2, 0.7, -1.0, 0.1];
const HALVES: [f64; 2] = [-std::f64::consts::LN_2, -2.0 * std::f64::consts::LN_2];

/// Of the third class with ½ and the first with ¼.
#[test]
fn worked_values_of_a_teacher_of_two_classes() {
    for (tail, beta, expected, gradient) in [
        ("renormalize", "0", 0.200973782, [0.1561615, 0.0, -0.1561615, 0.0]),
        ("renormalize", "0.5", 0.049622279, [0.0367214, 0.0, -0.0367214, 0.0]),
        ("renormalize", "0.9", 0.018127773, [0.0132192, 0.0, -0.0132192, 0.0]),
        ("renormalize", "1", 0.202905790, [0.1479258, 0.0, -0.1479258, 0.0]),
        ("bucket", "0", 0.389989637, [0.0071330, 0.0978568, -0.1774839, 0.0724941]),
        ("bucket", "0.5", 0.087289128, [-0.0042896, 0.0210322, -0.0323236, 0.0155810]),
        ("bucket", "0.9", 0.030790372, [-0.0029992, 0.0077247, -0.0104481, 0.0057226]),
        ("bucket", "1", 0.343081193, [-0.0379996, 0.0876762, -0.1146286, 0.0649521]),
    ] {
        let found = top_k(&[("tail", tail), ("beta", beta), ("temperature", "2")], &LOGITS, &[2, 0], &HALVES);
        // Inputs and β are f32.
        assert_close(found.loss[0], expected, 2e-8, tail);
        assert_all_close(&found.gradients[0].1, &gradient, 1e-7, tail);
    }
}

/// Where every class is given, whatever becomes of others.
#[test]
fn a_teacher_of_all_classes_is_one_of_logits() {
    let teacher = [0.5_f64, 0.25, 0.25].map(|p| f64::from(p.ln() as f32));
    for beta in ["0", "0.25", "1"] {
        let expected = one(&loss("jensen_shannon", &[("beta", beta)]), &STUDENT, &teacher);
        for tail in ["renormalize", "bucket"] {
            let others = [teacher[2], teacher[0], teacher[1]];
            let found = top_k(&[("beta", beta), ("tail", tail)], &STUDENT, &[2, 0, 1], &others);
            assert_close(found.loss[0], expected.loss[0], 1e-15, tail);
            assert_all_close(&found.gradients[0].1, &expected.gradients[0].1, 1e-15, tail);
        }
    }
}

#[test]
fn what_is_not_given_counts_in_a_bucket_alone() {
    // Of the others nothing is seen, or they are masked: then a bucket has nothing of the student's.
    for other in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30] {
        let logits = [0.2, other, -1.0, other];
        let found = top_k(&[], &logits, &[2, 0], &HALVES);
        let expected = top_k(&[], &LOGITS, &[2, 0], &HALVES);
        assert_eq!((&found.loss, &found.gradients), (&expected.loss, &expected.gradients), "{other}");
        let found = top_k(&[("tail", "bucket"), ("beta", "0")], &logits, &[2, 0], &HALVES).loss[0];
        assert!(
            if other == f64::NEG_INFINITY { found == f64::INFINITY } else { found.is_nan() || found > 1.0 },
            "{other}: {found}"
        );
    }
    // A class of which the teacher says that it never comes, and a teacher that leaves nothing to others.
    let sure = top_k(&[("tail", "bucket"), ("beta", "0")], &LOGITS, &[2, 0], &[0.0, f64::NEG_INFINITY]);
    let class = loss("cross_entropy", &[]);
    let inputs = Named::new().with("logits", tensor(&LOGITS, &[1, 4])).with("target", classes(&[2], &[1]));
    let expected = evaluate(&class, &inputs, Reduction::None);
    assert_close(sure.loss[0], expected.loss[0], 1e-15, "sure");
    assert_all_close(&sure.gradients[0].1, &expected.gradients[0].1, 1e-15, "sure");
}

/// A bucket of e⁻⁴⁰, which a difference from 1 has lost long before.
#[test]
fn a_bucket_of_next_to_nothing_keeps_its_digits() {
    let found = top_k(&[("tail", "bucket"), ("beta", "0")], &[0.0, -40.0, -41.0], &[0], &[-1.0]);
    let (p, tail) = ((-1.0_f64).exp(), (-40.0_f64).exp() + (-41.0_f64).exp());
    let expected = p * p.ln() + (1.0 - p) * ((1.0 - p).ln() - tail.ln());
    assert_close(found.loss[0] / expected, 1.0, 1e-14, "loss");
}

#[test]
fn half_and_half_is_the_divergence_of_distillation() {
    for (beta, divergence) in [("0", "forward"), ("0.5", "jensen_shannon"), ("1", "reverse")] {
        let settings = [("beta", beta), ("temperature", "2.5"), ("scale_by_t2", "true")];
        let found = one(&loss("jensen_shannon", &settings), &STUDENT, &TEACHER);
        let distillation = loss("distillation", &[("divergence", divergence), ("temperature", "2.5")]);
        let expected = one(&distillation, &STUDENT, &TEACHER);
        assert_eq!((found.loss, found.gradients), (expected.loss, expected.gradients), "{beta}");
        // Without the factor both are T² times smaller.
        let plain = one(&jensen_shannon(beta, "2.5"), &STUDENT, &TEACHER);
        let scaled = one(&loss("jensen_shannon", &settings), &STUDENT, &TEACHER);
        assert_close(scaled.loss[0] / plain.loss[0], 6.25, 1e-14, beta);
        assert_close(scaled.gradients[0].1[0] / plain.gradients[0].1[0], 6.25, 1e-14, beta);
    }
}

/// Near the ends of β the loss is β times, or 1 − β times, the divergence at the end.
#[test]
fn the_loss_jumps_at_the_ends_of_beta() {
    for (end, near) in [("0", 1e-6_f64), ("1", 1.0 - 1e-6)] {
        let at_end = one(&jensen_shannon(end, "1"), &STUDENT, &TEACHER).loss[0];
        let beta = f64::from(near as f32);
        let found = one(&jensen_shannon(&near.to_string(), "1"), &STUDENT, &TEACHER).loss[0];
        assert_close(found / (beta.min(1.0 - beta) * at_end), 1.0, 1e-4, end);
    }
}

#[test]
fn rows_that_share_no_class_are_as_far_as_can_be() {
    let (student, teacher) = ([0.0, f64::NEG_INFINITY], [f64::NEG_INFINITY, 3.0]);
    let beta = 0.25_f64;
    let found = one(&jensen_shannon("0.25", "1"), &student, &teacher);
    let entropy = -beta * beta.ln() - (1.0 - beta) * (1.0 - beta).ln();
    assert_close(found.loss[0], entropy, 1e-15, "jensen_shannon");
    assert_eq!(found.gradients[0].1, [0.0, 0.0]);
    let found = one(&loss("total_variation", &[]), &student, &teacher);
    assert_eq!((found.loss[0], &found.gradients[0].1[..]), (1.0, &[0.0, 0.0][..]));
    // A class that both mask changes nothing.
    let masked = |row: [f64; 3]| [row[0], row[1], row[2], f64::NEG_INFINITY];
    for loss in [jensen_shannon("0.25", "1"), loss("total_variation", &[])] {
        let (found, without) = (one(&loss, &masked(STUDENT), &masked(TEACHER)), one(&loss, &STUDENT, &TEACHER));
        assert_close(found.loss[0], without.loss[0], 1e-15, "masked");
        assert_all_close(&found.gradients[0].1[..3], &without.gradients[0].1, 1e-15, "masked");
        assert_eq!(found.gradients[0].1[3], 0.0);
    }
}

/// Around p = ½ with logits ±h/2: the distance is tanh(h/2)/2, whose gradient does not fade.
#[test]
fn a_distance_of_rows_that_nearly_agree_keeps_its_digits() {
    for h in [1e-3, 1e-6, 1e-9] {
        let h = f64::from(h as f32);
        let found = one(&loss("total_variation", &[]), &[0.5 * h, -0.5 * h], &[0.0, 0.0]);
        assert_close(found.loss[0] / (0.5 * (0.5 * h).tanh()), 1.0, 1e-12, "loss");
        assert_close(found.gradients[0].1[0], 0.25, h, "gradient");
    }
    let same = one(&loss("total_variation", &[]), &STUDENT, &STUDENT);
    assert_eq!((same.loss[0], &same.gradients[0].1[..]), (0.0, &[0.0; 3][..]));
}

#[test]
fn parameters_keep_their_rules() {
    for (name, parameter, bad) in [
        ("jensen_shannon", "beta", "-0.5"),
        ("jensen_shannon", "beta", "1.5"),
        ("jensen_shannon", "beta", "NaN"),
        ("jensen_shannon", "temperature", "0"),
        ("jensen_shannon", "scale_by_t2", "2"),
        ("jensen_shannon_top_k", "beta", "-0.5"),
        ("jensen_shannon_top_k", "tail", "ignore"),
        ("total_variation", "temperature", "-1"),
    ] {
        match AnyLoss::new(name, &[(parameter, bad)]) {
            Err(Error::Parameter { loss, parameter: refused, found, .. }) => {
                assert_eq!((loss, refused, &found[..]), (name, parameter, bad));
            }
            other => panic!("{name} {parameter}={bad}: {other:?}"),
        }
    }
}

#[test]
fn what_is_given_of_a_teacher_is_of_the_rows_and_of_distinct_classes() {
    let found = |rows: usize, given: &[i32], ln_p: &[f64]| {
        let given_of_rows = given.len() / rows;
        let inputs = Named::new()
            .with("logits", tensor(&LOGITS, &[1, 4]))
            .with("teacher_indices", classes(given, &[rows, given_of_rows]))
            .with("teacher_log_probs", tensor(ln_p, &[1, ln_p.len()]));
        reference::evaluate(&loss("jensen_shannon_top_k", &[]), &inputs, &Reduction::None.into())
    };
    for (rows, given, ln_p, tensor, expected) in [
        (1, &[][..], &[][..], "teacher_indices", "[1, K] with K from 1 to 4"),
        (1, &[0, 1, 2, 3, 0], &[-2.0; 5], "teacher_indices", "[1, K] with K from 1 to 4"),
        (2, &[0, 1], &HALVES, "teacher_indices", "[1, K] with K from 1 to 4"),
        (1, &[0, 1, 2], &HALVES, "teacher_log_probs", "[1, 3]"),
    ] {
        match found(rows, given, ln_p) {
            Err(Error::Shape { tensor: refused, expected: wanted, .. }) => {
                assert_eq!((refused, &wanted[..]), (tensor, expected));
            }
            other => panic!("{given:?}: {other:?}"),
        }
    }
    for (given, ln_p, tensor, index) in [
        ([0, 4], HALVES, "teacher_indices", 1),
        ([-1, 0], HALVES, "teacher_indices", 0),
        ([2, 2], HALVES, "teacher_indices", 1),
        ([2, 0], [-1.0, 0.5], "teacher_log_probs", 1),
    ] {
        match found(1, &given, &ln_p) {
            Err(Error::Target { count: 1, first: 0, offender: Some(offender), .. }) => {
                assert_eq!((offender.tensor, &offender.index[..]), (tensor, &[0, index][..]));
            }
            other => panic!("{given:?}: {other:?}"),
        }
    }
}
