//! Divergences of a student from a teacher: worked values, and what they do at the ends of their shares.

use wgloss::{AnyLoss, Error, Named, Reduction, reference::Evaluation};

use super::{assert_all_close, assert_close, evaluate, loss, tensor};

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
