//! The same call again.

use wgloss::{DType, Gradients, Loss, Options, Reduction, Statistics};

use super::{effort, every_loss, inputs};

#[test]
fn every_run_gives_the_same_bits() {
    for (turn, loss) in effort::some(every_loss().into_iter(), 3).enumerate() {
        for gpu in effort::adapters(turn) {
            let inputs = inputs(&loss, [70, 9], DType::F16, true);
            let first = loss.eval_with(gpu, &inputs, Reduction::WeightedMean).unwrap();
            for _ in 0..3 {
                assert_eq!(
                    loss.eval_with(gpu, &inputs, Reduction::WeightedMean).unwrap(),
                    first,
                    "{loss:?} on {gpu:?}"
                );
            }
        }
    }
}

/// What the first run leaves must not show in the second, whose inputs are others.
#[test]
fn a_plan_can_be_recorded_again() {
    for (turn, loss) in effort::some(every_loss().into_iter(), 4).enumerate() {
        for gpu in effort::adapters(turn) {
            let inputs = inputs(&loss, [40, 5], DType::F32, false);
            let hardest = loss.spec().name == "triplet_batch_hard";
            let statistics = Statistics { hardest, ..Statistics::default() };
            let options = Options { statistics, ..Options::new(Reduction::Sum) };
            let expected = loss.eval_with(gpu, &inputs, options).unwrap();
            let uploaded =
                inputs.iter().map(|(name, host)| (name.to_string(), wgloss::Tensor::from_host(gpu, host).unwrap()));
            let output = loss.run_with(gpu, &uploaded.collect(), options).unwrap();
            let first = loss.spec().inputs[0].name;
            let tensor = output.bound().plan().inputs().get(first).unwrap().clone();
            assert_eq!(tensor.shape, [40, 5]);
            for _ in 0..2 {
                let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                output.record(&mut encoder);
                gpu.queue().submit([encoder.finish()]);
                assert_eq!(output.read_blocking().unwrap(), expected, "{loss:?} on {gpu:?}");
            }
        }
    }
}

#[test]
fn the_loss_alone_is_that_with_gradients() {
    for (turn, loss) in effort::some(every_loss().into_iter(), 0).enumerate() {
        for gpu in effort::adapters(turn) {
            let inputs = inputs(&loss, [33, 4], DType::F32, true);
            let whole = loss.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
            let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
            let alone = loss.eval_with(gpu, &inputs, options).unwrap();
            let mining = (alone.mining(), whole.mining());
            assert_eq!((alone.loss, alone.items, mining.0), (whole.loss, whole.items, mining.1), "{loss:?}");
            assert_eq!(alone.gradients.iter().count(), 0);
        }
    }
}
