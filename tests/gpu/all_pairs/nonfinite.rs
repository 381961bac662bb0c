//! NaN and infinity stay visible.

use wgloss::{AnyLoss, DType, Distance, Loss, Reduction, spec::Values};

use super::{Inputs, adapters, agreement::evaluated, embeddings, every_loss, inputs, is_sorted};

fn is_of_directions(loss: &AnyLoss) -> bool {
    let values = Values::new(loss.spec(), loss.values()).unwrap();
    let normalizes = values.has("norm_eps") && values.flag_or("normalize", true);
    normalizes || values.word_or("distance", Distance::Euclidean) == Distance::Cosine
}

#[test]
fn what_is_not_finite_shows_in_loss_and_gradients() {
    for gpu in adapters::all() {
        for loss in every_loss() {
            // The last one's square is beyond f32.
            for (place, value) in [(0, f64::NAN), (7, f64::INFINITY), (29, f64::NEG_INFINITY), (11, 1e25)] {
                // Directions have no squares beyond f32.
                if value == 1e25 && is_of_directions(&loss) {
                    continue;
                }
                let good = inputs(&loss, [10, 3], DType::F32, false);
                let last = good.iter().filter(|(name, _)| !["labels", "logit_scale"].contains(name)).last();
                let spoilt = last.unwrap().0.to_string();
                let change = |(name, host): (&str, &wgloss::HostTensor<'static>)| {
                    let mut values = host.to_f64();
                    if name == spoilt {
                        values[place] = value;
                        return (name.to_string(), embeddings(&values, DType::F32, 10));
                    }
                    (name.to_string(), host.clone())
                };
                let inputs: Inputs = good.iter().map(change).collect();
                // Every anchor is compared with every row.
                let found = loss.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
                assert!(found.loss.item().is_nan(), "{value}: {found:?} of {loss:?} on {gpu:?}");
                let gradients = found.gradients.get(&spoilt).unwrap().to_f64();
                assert!(gradients.iter().all(|x| x.is_nan()), "{loss:?} {gradients:?} on {gpu:?}");
                if !is_sorted(&loss) {
                    evaluated(gpu, &loss, &inputs, Reduction::None);
                }
            }
        }
    }
}
