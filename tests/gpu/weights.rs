//! Weights of items, which may be below 0.

use wgloss::{
    AnyLoss, DType, Error, Evaluation, Gpu, Gradients, HostTensor, Loss, Mse, Named, Options, Reduction, losses,
    spec::{Domain, Driver},
};

use crate::common::{
    adapters,
    agreement::{evaluated, is_beyond_bindings},
    device::uploaded,
    effort,
    inputs::{Inputs, changed, sample, tensor},
};

/// One loss of each driver with weights, and of each way in which it finds a divisor.
const OF_EACH_DRIVER: [&str; 10] = [
    "mse",
    "cross_entropy",
    "multi_margin",
    "giou",
    "triplet_margin",
    "info_nce",
    "triplet_batch_hard",
    "nt_xent",
    "linear_cross_entropy",
    "policy_sequence",
];

fn loss(name: &str) -> AnyLoss {
    AnyLoss::new(name, &[]).unwrap()
}

/// The input that weighs items.
fn weight_of(loss: &AnyLoss) -> Option<&'static str> {
    loss.spec().inputs.iter().find(|input| input.domain == Domain::SignedWeight).map(|input| input.name)
}

fn weighted_losses() -> impl Iterator<Item = AnyLoss> {
    losses::ALL.iter().map(|spec| loss(spec.name)).filter(|loss| weight_of(loss).is_some())
}

fn shape_of(loss: &AnyLoss) -> &'static [usize] {
    match loss.spec().driver {
        Driver::Elementwise => &[17],
        Driver::Sequences(sequences) if sequences.takes_logits => &[8 * 17, 5],
        Driver::Sequences(_) => &[8 * 17],
        Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => &[17, 4],
        _ => &[17, 5],
    }
}

/// The inputs of a loss, with weights of which each is made from the drawn one, above 0, and its place.
fn inputs(loss: &AnyLoss, dtype: DType, weight: impl Fn(usize, f64) -> f64) -> Inputs {
    let all = sample(loss, shape_of(loss), dtype, true);
    let name = weight_of(loss).unwrap();
    let drawn = all.get(name).unwrap().to_f64().into_iter().enumerate();
    let weights: Vec<(usize, f64)> = drawn.map(|(item, drawn)| (item, weight(item, drawn))).collect();
    changed(&all, name, &weights)
}

/// Every third one is below 0.
fn some_below_0(item: usize, drawn: f64) -> f64 {
    if item % 3 == 1 { -drawn } else { drawn }
}

#[test]
fn an_item_may_weigh_less_than_nothing() {
    for (turn, loss) in effort::some(weighted_losses(), 2).enumerate() {
        for &dtype in effort::taking_turns(&DType::FLOATS, turn / 3) {
            let inputs = inputs(&loss, dtype, some_below_0);
            let all = loss.spec().reductions().filter(|_| !loss.spec().is_per_class());
            for reduction in all.collect::<Vec<_>>() {
                let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &inputs, reduction);
                for gpu in effort::adapter(turn + dtype as usize).filter(can_bind) {
                    let found = evaluated(gpu, &loss, &inputs, reduction);
                    assert!(found.items > 0, "{loss}");
                    assert_eq!(found.weight_sum().is_some(), reduction == Reduction::WeightedMean, "{loss}");
                }
            }
        }
    }
}

#[test]
fn weights_of_the_other_sign_change_the_sign_of_loss_and_gradients() {
    for gpu in adapters::all() {
        for name in OF_EACH_DRIVER {
            let loss = loss(name);
            for reduction in [Reduction::None, Reduction::Sum, Reduction::BatchMean] {
                let [one, other] = [1.0, -1.0].map(|sign| {
                    let inputs = inputs(&loss, DType::F32, |item, drawn| sign * some_below_0(item, drawn));
                    loss.eval_with(gpu, &inputs, reduction).unwrap()
                });
                let negated = |values: Vec<f64>| values.into_iter().map(|x| -x).collect::<Vec<_>>();
                assert_eq!(one.loss.to_f64(), negated(other.loss.to_f64()), "{loss} {reduction} on {gpu:?}");
                assert_eq!((one.items, one.correct()), (other.items, other.correct()));
                for ((name, one), (_, other)) in one.gradients.iter().zip(other.gradients.iter()) {
                    assert_eq!(one.to_f64(), negated(other.to_f64()), "{loss} {reduction} grad.{name} on {gpu:?}");
                }
            }
        }
    }
}

fn weighted_mean(gpu: &Gpu, loss: &AnyLoss, inputs: &Inputs, gradients: Gradients) -> Evaluation {
    evaluated(gpu, loss, inputs, Options { gradients, ..Options::new(Reduction::WeightedMean) })
}

#[test]
fn without_weight_there_is_no_weighted_mean_and_the_sum_of_weights_says_so() {
    for gpu in adapters::all() {
        for name in OF_EACH_DRIVER {
            let loss = loss(name);
            for (factor, gradients) in [
                (-1.0, Gradients::Write),
                (0.0, Gradients::Write),
                (-1.0, Gradients::Add { weight: 0.5 }),
                (-1.0, Gradients::InPlace),
            ] {
                let inputs = inputs(&loss, DType::F32, |_, drawn| factor * drawn);
                let found = weighted_mean(gpu, &loss, &inputs, gradients);
                assert_eq!(found.loss.item(), 0.0, "{loss} on {gpu:?}");
                assert!(found.items > 0);
                let sum = found.weight_sum().unwrap();
                assert!(if factor == 0.0 { sum == 0.0 } else { sum < -1.0 }, "{loss} {sum}");
                for (input, gradient) in found.gradients.iter() {
                    assert!(gradient.to_f64().iter().all(|&x| x == 0.0), "{loss} grad.{input} on {gpu:?}");
                }
                let status = loss.run_with(gpu, &uploaded(gpu, &inputs), Reduction::WeightedMean).unwrap();
                assert_eq!(status.bound().read_status_blocking().unwrap().weight_sum(), Some(sum));
            }
            // Those that are added to what is there leave it alone.
            let inputs = inputs(&loss, DType::F32, |_, drawn| -drawn);
            let ones = loss.spec().differentiable().map(|input| {
                let host = inputs.get(input.name).unwrap();
                let ones = tensor(&vec![1.25; host.to_f64().len()], DType::F32, host.shape());
                (format!("grad.{}", input.name), ones)
            });
            let given: Inputs =
                inputs.iter().map(|(name, host)| (name.to_string(), host.clone())).chain(ones).collect();
            let gradients = Gradients::Add { weight: 2.0 };
            let options = Options { gradients, ..Options::new(Reduction::WeightedMean) };
            let found = loss.eval_with(gpu, &given, options).unwrap();
            let is_untouched = |gradient: &HostTensor<'_>| gradient.to_f64().iter().all(|&x| x == 1.25);
            assert!(found.gradients.iter().all(|(_, gradient)| is_untouched(gradient)), "{loss} on {gpu:?}");
        }
    }
}

#[test]
fn weights_that_outweigh_those_below_0_have_a_mean() {
    let inputs = Named::new()
        .with("prediction", tensor(&[1.0, 2.0, 3.0], DType::F32, &[3]))
        .with("target", tensor(&[0.0; 3], DType::F32, &[3]))
        .with("weight", tensor(&[2.0, -0.5, 0.5], DType::BF16, &[3]));
    for gpu in adapters::all() {
        let found = evaluated(gpu, &Mse, &inputs, Reduction::WeightedMean);
        assert_eq!((found.loss.item(), found.weight_sum(), found.items), (2.25, Some(2.0), 3));
        assert_eq!(found.gradients.get("prediction").unwrap().to_f64(), [2.0, -1.0, 1.5]);
        let mean = evaluated(gpu, &Mse, &inputs, Reduction::Mean);
        assert_eq!((mean.loss.item(), mean.weight_sum()), (1.5, None));
        // Without weights there is nothing to tell.
        let plain = Named::new()
            .with("prediction", inputs.get("prediction").unwrap().clone())
            .with("target", inputs.get("target").unwrap().clone());
        assert_eq!(evaluated(gpu, &Mse, &plain, Reduction::WeightedMean).weight_sum(), None);
    }
}

#[test]
fn what_is_not_finite_shows_where_there_is_no_weighted_mean() {
    for gpu in adapters::all() {
        for name in ["mse", "cross_entropy", "triplet_margin", "giou"] {
            let loss = loss(name);
            let inputs = inputs(&loss, DType::F32, |_, drawn| -drawn);
            let bad = changed(&inputs, loss.spec().inputs[0].name, &[(0, f64::NAN)]);
            assert!(weighted_mean(gpu, &loss, &bad, Gradients::Write).loss.item().is_nan(), "{loss} on {gpu:?}");
        }
    }
}

#[test]
fn weights_of_classes_stay_0_or_above() {
    for gpu in adapters::all() {
        for name in ["cross_entropy", "dice"] {
            let loss = loss(name);
            let bad = changed(&sample(&loss, &[17, 5], DType::F32, true), "class_weight", &[(1, -1.0)]);
            let refused = loss.eval_with(gpu, &bad, Reduction::Sum).unwrap_err();
            assert!(matches!(refused, Error::Target { .. }), "{name}: {refused}");
        }
    }
}
