//! Rows that count and rows that do not: ignored, masked, without a target behind them, or out of range.

use wgloss::{
    DType, Error, Gpu, Gradients, HostTensor, LinearCrossEntropy, Loss, Options, Plan, Reduction, Statistics, Tensor,
};

use super::{
    Size, adapters,
    agreement::{is_beyond_bindings, out_of_range},
    bytes_of, changed,
    device::{submit, uploaded},
    effort, evaluated, every_loss, gradient, head, linear, run, sample, tensor, values, with,
};

const SIZE: Size<'static> = Size { items: &[83], dimensions: 6, classes: 13 };

fn targets(target: &[i32], shape: &[usize]) -> HostTensor<'static> {
    let values: Vec<f64> = target.iter().map(|&class| f64::from(class)).collect();
    tensor(&values, DType::I32, shape)
}

fn is_ignored(row: usize) -> bool {
    row % 9 == 5
}

/// Small panels, so that rows move from one to another.
fn options(reduction: Reduction) -> Options {
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    Options { panel_bytes: bytes_of(16, SIZE.classes), statistics, ..Options::new(reduction) }
}

#[test]
fn ignored_rows_leave_nothing_whatever_they_hold() {
    let loss = LinearCrossEntropy::default();
    for (turn, dtype) in DType::FLOATS.into_iter().enumerate() {
        let inputs = head(&SIZE, dtype);
        let poison = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][turn];
        let ignored = (0..83 * 6).filter(|index| is_ignored(index / 6));
        let poisoned = changed(&inputs, "hidden", &ignored.map(|index| (index, poison)).collect::<Vec<_>>());
        for gpu in adapters::all() {
            for reduction in [Reduction::Mean, Reduction::None] {
                let clean = evaluated(gpu, &loss, &inputs, options(reduction));
                let found = evaluated(gpu, &loss, &poisoned, options(reduction));
                let what = format!("{dtype} {reduction} on {gpu:?}");
                assert!(found.loss == clean.loss && found.gradients == clean.gradients, "{what}");
                assert_eq!((found.items, found.correct()), (74, clean.correct()), "{what}");
                let hidden = gradient(&found, "hidden").to_f64();
                assert!(hidden.chunks(6).enumerate().all(|(row, g)| is_ignored(row) == g.iter().all(|&x| x == 0.0)));
                let [log_sum_exp, argmax] =
                    [found.log_sum_exp(), found.argmax()].map(|statistic| statistic.unwrap().to_f64());
                for row in 0..83 {
                    assert_eq!(log_sum_exp[row].is_nan(), is_ignored(row), "{what}: row {row}");
                    assert_eq!(argmax[row] == -1.0, is_ignored(row), "{what}: row {row}");
                }
            }
        }
    }
}

#[test]
fn rows_that_are_all_ignored_have_no_loss() {
    for (turn, loss) in effort::some(every_loss().into_iter(), 0).enumerate() {
        let (target, hidden) = (linear(&loss).target, linear(&loss).heads[0].hidden);
        if loss.spec().input(target).is_none() {
            continue;
        }
        let inputs = sample(&loss, &[83, 6], DType::F32, true);
        let inputs = with(&inputs, target, targets(&[-100; 83], &[83]));
        let inputs = with(&inputs, hidden, tensor(&[f64::NAN; 83 * 6], DType::F32, &[83, 6]));
        for gpu in effort::adapters(turn) {
            for reduction in Reduction::ALL {
                let found = run(gpu, &loss, &inputs, reduction);
                let what = format!("{loss:?} {reduction} on {gpu:?}");
                assert_eq!((found.items, found.correct()), (0, Some(0)), "{what}");
                let all = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
                assert!(all.chain(found.loss.to_f64()).all(|x| x == 0.0), "{what}");
            }
        }
    }
}

#[test]
fn a_mask_leaves_rows_out_as_an_ignored_target_does() {
    let loss = LinearCrossEntropy { label_smoothing: 0.125, ..Default::default() };
    let inputs = head(&SIZE, DType::F32);
    let kept: Vec<bool> = (0..83).map(|row| row % 4 != 1).collect();
    let target: Vec<i32> = inputs.get("target").unwrap().to_vec().unwrap();
    let held: Vec<i32> = target.iter().zip(&kept).map(|(&class, &kept)| if kept { class } else { -100 }).collect();
    let masked = inputs.clone().with("mask", HostTensor::mask(&kept, [83]).unwrap());
    let ignored = with(&inputs, "target", targets(&held, &[83]));
    for gpu in adapters::all() {
        for reduction in [Reduction::Mean, Reduction::None] {
            let found = evaluated(gpu, &loss, &masked, options(reduction));
            let expected = evaluated(gpu, &loss, &ignored, options(reduction));
            assert!(found.loss == expected.loss && found.gradients == expected.gradients, "{reduction} on {gpu:?}");
            assert_eq!((found.items, found.correct()), (expected.items, expected.correct()));
            assert_eq!(found.argmax(), expected.argmax());
        }
    }
}

#[test]
fn a_shift_is_that_of_the_targets_by_hand() {
    let size = Size { items: &[5, 17], dimensions: 6, classes: 13 };
    let item_weight = tensor(&values(85, 1.0, 9).iter().map(|x| x + 1.0).collect::<Vec<_>>(), DType::F32, &[5, 17]);
    for dtype in DType::FLOATS {
        let inputs = head(&size, dtype).with("item_weight", item_weight.clone());
        let target: Vec<i32> = inputs.get("target").unwrap().to_vec().unwrap();
        for shift in [1, 3, 16, 17, i32::MAX] {
            let behind = |row: usize| (row % 17 + shift as usize) < 17;
            let moved: Vec<i32> =
                (0..85).map(|row| if behind(row) { target[row + shift as usize] } else { -100 }).collect();
            let by_hand = with(&inputs, "target", targets(&moved, &[5, 17]));
            for gpu in adapters::all() {
                let shifted = LinearCrossEntropy { shift, ..Default::default() };
                let found = evaluated(gpu, &shifted, &inputs, options(Reduction::Mean));
                let expected = run(gpu, &LinearCrossEntropy::default(), &by_hand, options(Reduction::Mean));
                let what = format!("{dtype}, shift {shift} on {gpu:?}");
                assert!(found.loss == expected.loss && found.gradients == expected.gradients, "{what}");
                assert_eq!((found.items, found.correct()), (expected.items, expected.correct()), "{what}");
                assert_eq!(found.argmax(), expected.argmax(), "{what}");
            }
        }
    }
}

#[test]
fn the_first_row_out_of_range_has_its_own_number() {
    let inputs = head(&SIZE, DType::F32);
    let loss = LinearCrossEntropy::default();
    for gpu in adapters::all() {
        for offenders in [&[(3, 13.0), (40, -1.0)][..], &[(80, f64::from(i32::MAX))], &[(79, -7.0), (80, 99.0)]] {
            // A row that counts behind others that do not.
            let mut changes: Vec<(usize, f64)> = (0..offenders[0].0).map(|row| (row, -100.0)).collect();
            changes.extend(offenders);
            for inputs in [changed(&inputs, "target", offenders), changed(&inputs, "target", &changes)] {
                for panel_bytes in [bytes_of(1, 13), bytes_of(16, 13), 0] {
                    let options = Options { panel_bytes, ..Options::new(Reduction::Mean) };
                    let error = loss.eval_with(gpu, &inputs, options).unwrap_err();
                    let expected = ("linear_cross_entropy", offenders.len() as u64, offenders[0].0 as u64);
                    assert_eq!(out_of_range(&error), expected, "{gpu:?}");
                    let Error::Target { offender: Some(offender), .. } = error else { panic!("no offender") };
                    assert_eq!((offender.tensor, offender.value), ("target", offenders[0].1), "{gpu:?}");
                }
            }
        }
        // Behind a shift it is the row that is held to it, and not where the target lies.
        let shifted = LinearCrossEntropy { shift: 2, ..Default::default() };
        let error = shifted.eval_with(gpu, &changed(&inputs, "target", &[(0, 50.0), (1, 51.0)]), Reduction::Mean);
        assert!(error.is_ok(), "no row is held to these on {gpu:?}");
        let error = shifted.eval_with(gpu, &changed(&inputs, "target", &[(40, 50.0)]), Reduction::Mean).unwrap_err();
        assert_eq!(out_of_range(&error), ("linear_cross_entropy", 1, 38), "{gpu:?}");
    }
}

/// An upstream value for each row, and gradients that are added twice.
#[test]
fn gradients_added_twice_are_twice_as_large() {
    let types = |inputs: &super::Inputs| inputs.map(|host| host.ty().clone());
    for (turn, loss) in effort::some(every_loss().into_iter(), 1).enumerate() {
        let upstream = tensor(&values(83, 2.0, 8), DType::F32, &[83]);
        let inputs = sample(&loss, &[83, 6], DType::F32, true).with("upstream", upstream);
        let adding = Options { gradients: Gradients::Add { weight: 0.5 }, ..options(Reduction::None) };
        for gpu in effort::adapters(turn).filter(|gpu| !is_beyond_bindings(gpu, &loss, &inputs, adding)) {
            let once = evaluated(gpu, &loss, &inputs, options(Reduction::None));
            let plan = Plan::new(gpu, &loss, &types(&inputs), adding).unwrap();
            let mut tensors = uploaded(gpu, &inputs);
            for (name, ty) in plan.outputs().iter().filter(|(name, _)| name.starts_with("grad.")) {
                tensors = tensors.with(name, Tensor::zeros(gpu, ty.clone()).unwrap());
            }
            let output = plan.bind_tensors(&tensors).unwrap();
            for _ in 0..4 {
                submit(gpu, |encoder| output.record(encoder));
            }
            for (name, once) in once.gradients.iter() {
                let found = output.gradients.get(name).unwrap().read_blocking().unwrap().to_f64();
                let largest = once.to_f64().iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                for (found, once) in found.iter().zip(once.to_f64()) {
                    let what = format!("{loss:?} {name}: {found} for twice {once} on {gpu:?}");
                    assert!((found - 2.0 * once).abs() <= 1e-6 * largest, "{what}");
                }
            }
        }
    }
}

#[test]
fn gradients_in_place_have_the_bits_of_gradients_elsewhere() {
    for (turn, loss) in effort::some(every_loss().iter(), 2).enumerate() {
        for dtype in [DType::F32, DType::FLOATS[1 + turn % 2]] {
            let inputs = sample(loss, &[83, 7], dtype, true);
            let in_place = Options { gradients: Gradients::InPlace, ..options(Reduction::Mean) };
            let binds = |gpu: &&Gpu| !is_beyond_bindings(gpu, loss, &inputs, options(Reduction::Mean));
            for gpu in effort::adapters(turn + dtype as usize).filter(binds) {
                let elsewhere = run(gpu, loss, &inputs, options(Reduction::Mean));
                let found = run(gpu, loss, &inputs, in_place);
                assert!(found == elsewhere, "{loss:?} {dtype} on {gpu:?}");
            }
        }
    }
}
