//! Inputs that get no gradient.

use wgloss::{CrossEntropy, DType, Error, LinearCrossEntropy, Loss, Named, Options, Plan, Reduction, reference};

use super::{Gpu, Inputs, Size, adapters, every_loss, gradient, head, linear, run, sample};

fn frozen(frozen: &'static [&'static str]) -> Options {
    Options { frozen, ..Options::new(Reduction::Mean) }
}

fn plan(gpu: &Gpu, loss: &impl Loss, inputs: &Inputs, options: Options) -> Plan {
    Plan::new(gpu, loss, &inputs.map(|host| host.ty().clone()), options).unwrap()
}

#[test]
fn a_frozen_head_has_no_gradients_and_takes_no_memory_for_them() {
    for (turn, loss) in every_loss().iter().enumerate() {
        let trained = linear(loss).heads[0];
        let [of_rows, of_head]: [&'static [&'static str]; 2] = match trained.bias {
            None => [&["embeddings"], &["weight"]],
            Some(_) => [&["hidden"], &["weight", "bias"]],
        };
        assert_eq!(of_rows, [trained.hidden]);
        // Halves have sums of their own besides their gradients.
        for dtype in [DType::F32, DType::FLOATS[1 + turn % 2]] {
            let inputs = sample(loss, &[30, 9], dtype, true);
            for gpu in adapters::all() {
                let what = format!("{loss:?} {dtype} on {gpu:?}");
                let all = run(gpu, loss, &inputs, frozen(&[]));
                let found = run(gpu, loss, &inputs, frozen(of_head));
                let is_same = |name| gradient(&found, name) == gradient(&all, name);
                assert!(found.loss == all.loss && is_same(trained.hidden), "{what}");
                assert_eq!(found.gradients.iter().count(), 1, "{what}");
                let without = run(gpu, loss, &inputs, frozen(of_rows));
                let names: Vec<&str> = without.gradients.iter().map(|(name, _)| name).collect();
                assert_eq!(names, of_head, "{what}");
                assert!(names.iter().all(|name| gradient(&without, name) == gradient(&all, name)), "{what}");

                let expected = reference::evaluate(loss, &inputs, &frozen(of_rows)).unwrap();
                let names: Vec<&str> = expected.gradients.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, of_head, "{what}");
            }
        }
    }
}

#[test]
fn what_a_frozen_head_saves() {
    let size = Size { items: &[64], dimensions: 128, classes: 1000 };
    for dtype in DType::FLOATS {
        let inputs = head(&size, dtype);
        for gpu in adapters::all() {
            let of = |options| plan(gpu, &LinearCrossEntropy::default(), &inputs, options);
            let (all, head, everything) = (of(frozen(&[])), of(frozen(&["weight", "bias"])), of(frozen(&["hidden"])));
            let outputs: Vec<String> = head.outputs().iter().map(|(name, _)| name.to_string()).collect();
            assert_eq!(outputs, ["grad.hidden", "loss"], "{gpu:?}");
            // The sums of a head's gradient in f32, which an f32 gradient is itself.
            let sums = if dtype == DType::F32 { 0 } else { 1000 * 128 * 4 };
            assert!(all.workspace_size() - head.workspace_size() >= sums, "{dtype} on {gpu:?}");
            // The gradients of a panel's rows.
            assert!(all.workspace_size() - everything.workspace_size() >= 64 * 128 * 4 - 4, "{dtype} on {gpu:?}");
        }
    }
}

#[test]
fn what_cannot_be_frozen_is_refused() {
    let size = Size { items: &[3], dimensions: 2, classes: 4 };
    let inputs = head(&size, DType::F32);
    let unknown: &'static [&'static str] = &["weight", "target"];
    let expected = |loss, input, known: &[&'static str]| Error::Frozen { loss, input, known: known.to_vec() };
    let heads = expected("linear_cross_entropy", "target", &["hidden", "weight", "bias"]);
    let rows = Named::new()
        .with("logits", super::tensor(&[0.0; 6], DType::F32, &[2, 3]))
        .with("target", super::tensor(&[0.0; 2], DType::I32, &[2]));
    let of_rows = expected("cross_entropy", "logits", &[]);
    assert_eq!(heads.to_string().matches('`').count(), 8, "{heads}");
    for gpu in adapters::all() {
        let error = LinearCrossEntropy::default().eval_with(gpu, &inputs, frozen(unknown)).unwrap_err();
        assert_eq!(error, heads, "{gpu:?}");
        let error = CrossEntropy::default().eval_with(gpu, &rows, frozen(&["logits"])).unwrap_err();
        assert_eq!(error, of_rows, "{gpu:?}");
    }
    let error = reference::evaluate(&LinearCrossEntropy::default(), &inputs, &frozen(unknown)).unwrap_err();
    assert_eq!(error, heads);
}
