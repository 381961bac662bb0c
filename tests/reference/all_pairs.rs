//! Metric learning over a whole batch: oracles that are obviously right, mined rows and their ties, known errors, and
//! batches in which there is nothing to compare.

use fastrand::Rng;
use wgloss::{
    Average, Clip, Distance, Error, Fallback, Gradients, Hardest, HostTensor, InfoNce, Loss, Named, NtXent, Options,
    Reduction, Statistics, SupCon, TripletBatchAll, TripletBatchHard, TripletSemiHard, Triplets,
    reference::{self, Evaluation},
    spec::{Anchors, Relation, Values},
};

use super::{assert_all_close, assert_close, assert_slopes, classes, described, evaluate, inputs_for, moved, tensor};

const DISTANCES: [Distance; 3] = [Distance::Euclidean, Distance::SquaredEuclidean, Distance::Cosine];

/// Every loss with its defaults, and with other settings.
fn every_loss() -> Vec<Box<dyn Loss>> {
    let mut losses: Vec<Box<dyn Loss>> = vec![Box::new(Clip::default()), Box::new(TripletBatchAll::default())];
    for distance in DISTANCES {
        for soft_margin in [false, true] {
            losses.push(Box::new(TripletBatchHard { margin: 1.5, distance, soft_margin }));
        }
        for fallback in [Fallback::None, Fallback::Farthest] {
            losses.push(Box::new(TripletSemiHard { margin: 0.75, distance, fallback }));
        }
        for triplets in [Triplets::All, Triplets::SemiHard, Triplets::Hard] {
            for average in [Average::Active, Average::All] {
                losses.push(Box::new(TripletBatchAll { margin: 0.75, distance, triplets, average }));
            }
        }
    }
    for temperature in [0.25, 2.0] {
        losses.push(Box::new(InfoNce { temperature, normalize: true, ..InfoNce::default() }));
        losses.push(Box::new(InfoNce { temperature, normalize: false, ..InfoNce::default() }));
        losses.push(Box::new(NtXent { temperature, ..NtXent::default() }));
        losses.push(Box::new(SupCon { temperature, ..SupCon::default() }));
    }
    losses
}

/// Whether an anchor counts: with labels, one that has a positive, and for a triplet a negative too.
pub(super) fn counts(loss: &dyn Loss, inputs: &Named<HostTensor<'static>>, anchor: usize) -> bool {
    let Some(labels) = inputs.get("labels").map(HostTensor::to_f64) else { return true };
    let alike = labels.iter().filter(|&&label| label == labels[anchor]).count();
    let needs_negative = loss.spec().all_pairs().is_some_and(|batch| batch.anchors != Anchors::Softmax);
    alike > 1 && (alike < labels.len() || !needs_negative)
}

fn labelled(rows: &[&[f64]], labels: &[i32]) -> Named<HostTensor<'static>> {
    let embeddings = tensor(&rows.concat(), &[rows.len(), rows.first().map_or(1, |row| row.len())]);
    Named::new().with("embeddings", embeddings).with("labels", classes(labels, &[labels.len()]))
}

/// Points on a line.
fn line(points: &[f64], labels: &[i32]) -> Named<HostTensor<'static>> {
    let rows: Vec<&[f64]> = points.chunks(1).collect();
    labelled(&rows, labels)
}

fn paired(names: [&str; 2], first: &[f64], second: &[f64], shape: [usize; 2]) -> Named<HostTensor<'static>> {
    Named::new().with(names[0], tensor(first, &shape)).with(names[1], tensor(second, &shape))
}

fn rows_of(inputs: &Named<HostTensor<'static>>, name: &str) -> Vec<Vec<f64>> {
    let rows = inputs.get(name).unwrap();
    rows.to_f64().chunks(rows.shape()[1]).map(<[f64]>::to_vec).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row.iter().map(|x| x / dot(row, row).sqrt()).collect()).collect()
}

fn distance_of(distance: Distance, a: &[f64], b: &[f64]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    match distance {
        Distance::Euclidean => squares.sqrt(),
        Distance::SquaredEuclidean => squares,
        Distance::Cosine => 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
    }
}

/// Every row with each of its positives.
fn positive_pairs(labels: &[i32]) -> Vec<[usize; 2]> {
    let rows = || 0..labels.len();
    let pairs = rows().flat_map(|a| rows().map(move |p| [a, p]));
    pairs.filter(|&[a, p]| a != p && labels[a] == labels[p]).collect()
}

/// Every triplet of rows, with its anchor first.
fn all_triplets(labels: &[i32]) -> Vec<[usize; 3]> {
    let negatives = |a: usize| (0..labels.len()).filter(move |&n| labels[n] != labels[a]);
    positive_pairs(labels).into_iter().flat_map(|[a, p]| negatives(a).map(move |n| [a, p, n])).collect()
}

const LABELS: [i32; 9] = [3, -7, 3, 0, -7, 3, 9, 0, 3];

/// A batch of rows without ties.
fn batch(seed: u64) -> Named<HostTensor<'static>> {
    let mut rng = Rng::with_seed(seed);
    let rows: Vec<Vec<f64>> = LABELS.iter().map(|_| (0..3).map(|_| 3.0 * rng.f64() - 1.5).collect()).collect();
    labelled(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), &LABELS)
}

#[test]
fn gradients_of_batches_are_the_slopes_of_the_loss() {
    for (case, loss) in every_loss().iter().enumerate() {
        for reduction in loss.spec().reductions() {
            for (optional, options) in [
                (false, Options::new(reduction)),
                (
                    true,
                    Options { upstream: 1.5, gradients: Gradients::Add { weight: -0.5 }, ..Options::new(reduction) },
                ),
            ] {
                let inputs = inputs_for(loss.as_ref(), &[6, 3][..], reduction, optional, case as u64);
                assert_slopes(loss.as_ref(), &inputs, options, 1);
            }
        }
    }
}

#[test]
fn the_hardest_triplets_are_found_among_all() {
    for (seed, distance) in DISTANCES.into_iter().enumerate() {
        let inputs = batch(seed as u64);
        let rows = rows_of(&inputs, "embeddings");
        let d = |a: usize, b: usize| distance_of(distance, &rows[a], &rows[b]);
        let statistics = Statistics { hardest: true, ..Statistics::default() };
        let hard = TripletBatchHard { margin: 0.5, distance, ..TripletBatchHard::default() };
        let found = evaluate(&hard, &inputs, Options { statistics, ..Options::new(Reduction::None) });
        let Hardest { positive, negative } = found.hardest.unwrap();
        for a in 0..LABELS.len() {
            let of_anchor: Vec<_> = all_triplets(&LABELS).into_iter().filter(|triplet| triplet[0] == a).collect();
            // The loss grows with d(a,p) and falls with d(a,n), so the hardest triplet has both.
            let hardest = of_anchor
                .iter()
                .copied()
                .max_by(|x, y| (d(a, x[1]) - d(a, x[2])).total_cmp(&(d(a, y[1]) - d(a, y[2]))));
            let expected = hardest.map_or(0.0, |[a, p, n]| (d(a, p) - d(a, n) + 0.5).max(0.0));
            assert_close(found.loss[a], expected, 1e-14, "loss of an anchor");
            let rows = hardest.map_or([-1, -1], |[_, p, n]| [p as i32, n as i32]);
            assert_eq!([positive[a], negative[a]], rows, "{distance} {a}");
        }
        let active = found.loss.iter().filter(|&&x| x > 0.0).count() as u64;
        let mining = found.mining.unwrap();
        // The row of label 9 is alone.
        assert_eq!((found.items, mining.triplets, mining.active), (8, 8, active));
    }
}

#[test]
fn a_soft_margin_is_the_softplus_without_the_margin() {
    let inputs = line(&[0.0, 1.0, 4.0], &[7, 7, 8]);
    let loss = TripletBatchHard { soft_margin: true, ..TripletBatchHard::default() };
    let found = evaluate(&loss, &inputs, Reduction::None);
    assert_all_close(&found.loss, &[(-3_f64).exp().ln_1p(), (-2_f64).exp().ln_1p(), 0.0], 1e-15, "loss");
    assert_eq!((found.items, found.mining.unwrap().active), (2, 2));
}

#[test]
fn pairs_take_the_nearest_negative_that_is_farther() {
    for (seed, distance) in DISTANCES.into_iter().enumerate() {
        let inputs = batch(7 + seed as u64);
        let rows = rows_of(&inputs, "embeddings");
        let d = |a: usize, b: usize| distance_of(distance, &rows[a], &rows[b]);
        for fallback in [Fallback::None, Fallback::Farthest] {
            let (mut sum, mut pairs, mut active) = (0.0, 0, 0);
            for [a, p] in positive_pairs(&LABELS) {
                let others = (0..LABELS.len()).filter(|&n| LABELS[n] != LABELS[a]);
                let mut negatives: Vec<f64> = others.map(|n| d(a, n)).collect();
                negatives.sort_by(f64::total_cmp);
                let farther = negatives.iter().copied().find(|&n| n > d(a, p));
                let negative = match fallback {
                    Fallback::None => farther,
                    Fallback::Farthest => farther.or(negatives.last().copied()),
                };
                if let Some(negative) = negative {
                    let loss = (d(a, p) - negative + 0.5).max(0.0);
                    (sum, pairs, active) = (sum + loss, pairs + 1, active + u64::from(loss > 0.0));
                }
            }
            let loss = TripletSemiHard { margin: 0.5, distance, fallback };
            let found = evaluate(&loss, &inputs, Reduction::Mean);
            assert_close(found.loss[0], sum / pairs as f64, 1e-13, "loss of pairs");
            let mining = found.mining.unwrap();
            assert_eq!((found.items, mining.triplets, mining.active), (pairs, pairs, active));
            assert!(fallback == Fallback::None || pairs == positive_pairs(&LABELS).len() as u64);
        }
    }
}

#[test]
fn all_triplets_are_those_of_three_loops() {
    for (seed, distance) in DISTANCES.into_iter().enumerate() {
        let inputs = batch(14 + seed as u64);
        let rows = rows_of(&inputs, "embeddings");
        let d = |a: usize, b: usize| distance_of(distance, &rows[a], &rows[b]);
        for triplets in [Triplets::All, Triplets::SemiHard, Triplets::Hard] {
            let is_selected = |farther: f64| match triplets {
                Triplets::All => true,
                Triplets::SemiHard => farther > 0.0 && farther <= 0.75,
                Triplets::Hard => farther <= 0.0,
            };
            let selected: Vec<f64> = all_triplets(&LABELS)
                .into_iter()
                .map(|[a, p, n]| d(a, n) - d(a, p))
                .filter(|&farther| is_selected(farther))
                .map(|farther| (0.75 - farther).max(0.0))
                .collect();
            let active = selected.iter().filter(|&&x| x > 0.0).count() as u64;
            for average in [Average::Active, Average::All] {
                let items = if average == Average::All { selected.len() as u64 } else { active };
                let loss = TripletBatchAll { margin: 0.75, distance, triplets, average };
                let found = evaluate(&loss, &inputs, Reduction::Mean);
                assert_close(found.loss[0], selected.iter().sum::<f64>() / items as f64, 1e-13, "loss of triplets");
                let mining = found.mining.unwrap();
                assert_eq!((found.items, mining.triplets, mining.active), (items, selected.len() as u64, active));
                // The sum does not depend on what counts.
                let sum = evaluate(&loss, &inputs, Reduction::Sum).loss[0];
                assert_close(sum, selected.iter().sum(), 1e-13, "sum of triplets");
            }
        }
    }
}

#[test]
fn means_divide_by_the_items_or_by_the_rows() {
    let inputs = batch(30);
    let losses: [&dyn Loss; 2] = [&TripletSemiHard::default(), &TripletBatchAll::default()];
    for loss in losses {
        let [sum, mean, weighted, by_rows] =
            [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean, Reduction::BatchMean]
                .map(|reduction| evaluate(loss, &inputs, reduction));
        assert!(sum.items > 9);
        for (found, divisor) in [(mean, sum.items as f64), (weighted, sum.items as f64), (by_rows, 9.0)] {
            assert_close(found.loss[0], sum.loss[0] / divisor, 1e-14, "loss");
            assert_close(found.magnitude, sum.magnitude / divisor, 1e-14, "magnitude");
            let expected: Vec<f64> = sum.gradients[0].1.iter().map(|x| x / divisor).collect();
            assert_all_close(&found.gradients[0].1, &expected, 1e-14, "gradient");
        }
    }
    let views = two_views(["z_i", "z_j"]);
    let [sum, mean] = [Reduction::Sum, Reduction::BatchMean].map(|r| evaluate(&NtXent::default(), &views, r).loss[0]);
    assert_close(mean, sum / 5.0, 1e-14, "batch_mean divides by N");
}

#[test]
fn mean_distances_are_over_ordered_pairs() {
    let inputs = line(&[0.0, 1.0, 4.0, 6.0], &[7, 7, 8, 7]);
    let losses: [&dyn Loss; 3] =
        [&TripletBatchHard::default(), &TripletSemiHard::default(), &TripletBatchAll::default()];
    for loss in losses {
        let mining = evaluate(loss, &inputs, Reduction::Sum).mining.unwrap();
        assert_eq!((mining.positive_distance, mining.negative_distance), (4.0, 3.0));
        let alone = evaluate(loss, &line(&[2.0], &[0]), Reduction::Sum).mining.unwrap();
        assert_eq!((alone.triplets, alone.positive_distance, alone.negative_distance), (0, 0.0, 0.0));
    }
    assert_eq!(evaluate(&SupCon::default(), &inputs, Reduction::Sum).mining, None);
}

#[test]
fn ties_go_to_the_lower_index() {
    let inputs = line(&[0.0, 2.0, -2.0, 3.0, -3.0], &[1, 1, 1, 2, 2]);
    let statistics = Statistics { hardest: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::Sum) };
    let hard = evaluate(&TripletBatchHard { margin: 1.5, ..TripletBatchHard::default() }, &inputs, options);
    let Hardest { positive, negative } = hard.hardest.unwrap();
    assert_eq!((positive[0], negative[0]), (1, 3));
    // Only these rows have a gradient from the first anchor, of which 2 − 3 + 1.5 is left.
    let first = Named::new().with("weight", tensor(&[1.0, 0.0, 0.0, 0.0, 0.0], &[5]));
    let first = inputs.iter().chain(first.iter()).map(|(name, given)| (name.to_string(), given.clone())).collect();
    let hard = evaluate(&TripletBatchHard { margin: 1.5, ..TripletBatchHard::default() }, &first, options);
    assert_eq!((hard.loss, &hard.gradients[0].1[..]), (vec![0.5], &[0.0, 1.0, 0.0, -1.0, 0.0][..]));
    assert!(hard.doubts.is_none(), "ties are ties in f32 too");

    // The nearest negatives that are farther, and the farthest.
    let pair = |points: &[f64], fallback| {
        let loss = TripletSemiHard { fallback, ..TripletSemiHard::default() };
        evaluate(&loss, &line(points, &[1, 1, 2, 3]), Reduction::Sum).gradients[0].1.clone()
    };
    assert_eq!(pair(&[0.0, 2.0, 2.5, -2.5], Fallback::None)[2..], [-1.0, 0.0]);
    assert_eq!(pair(&[0.0, 8.0, 2.5, -2.5], Fallback::Farthest)[3], 0.0);
}

#[test]
fn selection_has_its_boundaries() {
    // d(a,n) − d(a,p) is 0, the margin and more, for the first anchor; the second has farther negatives only.
    let inputs = line(&[0.0, 1.0, -1.0, -2.0, -3.0], &[0, 0, 1, 2, 3]);
    let counts = |triplets, average| {
        let found = evaluate(&TripletBatchAll { triplets, average, ..Default::default() }, &inputs, Reduction::Sum);
        (found.items, found.mining.unwrap().triplets, found.mining.unwrap().active, found.loss[0])
    };
    // Of the second anchor, 2 − 1 is the margin too.
    assert_eq!(counts(Triplets::All, Average::Active), (1, 6, 1, 1.0));
    assert_eq!(counts(Triplets::SemiHard, Average::All), (2, 2, 0, 0.0));
    assert_eq!(counts(Triplets::SemiHard, Average::Active), (0, 2, 0, 0.0));
    assert_eq!(counts(Triplets::Hard, Average::All), (1, 1, 1, 1.0));
}

/// The mean cross-entropy of logits with these targets.
fn cross_entropies(logits: &[Vec<f64>], targets: &[usize]) -> Vec<f64> {
    let one = |(row, &target): (&Vec<f64>, &usize)| row.iter().map(|x| (x - row[target]).exp()).sum::<f64>().ln();
    logits.iter().zip(targets).map(one).collect()
}

fn similarities(a: &[Vec<f64>], b: &[Vec<f64>], temperature: f64) -> Vec<Vec<f64>> {
    a.iter().map(|a| b.iter().map(|b| dot(a, b) / temperature).collect()).collect()
}

fn two_views(names: [&str; 2]) -> Named<HostTensor<'static>> {
    let mut rng = Rng::with_seed(3);
    let mut rows = || -> Vec<f64> { (0..5 * 3).map(|_| 2.0 * rng.f64() - 1.0).collect() };
    paired(names, &rows(), &rows(), [5, 3])
}

#[test]
fn info_nce_and_clip_are_cross_entropies_of_a_matrix() {
    let inputs = two_views(["query", "key"]);
    let [q, k] = ["query", "key"].map(|name| rows_of(&inputs, name));
    let diagonal: Vec<usize> = (0..5).collect();
    let plain =
        evaluate(&InfoNce { temperature: 0.5, normalize: false, ..InfoNce::default() }, &inputs, Reduction::None).loss;
    assert_all_close(&plain, &cross_entropies(&similarities(&q, &k, 0.5), &diagonal), 1e-14, "info_nce");
    let (q, k) = (unit(&q), unit(&k));
    let [there, back] = [(&q, &k), (&k, &q)].map(|(a, b)| cross_entropies(&similarities(a, b, 0.5), &diagonal));
    let normalized =
        evaluate(&InfoNce { temperature: 0.5, normalize: true, ..InfoNce::default() }, &inputs, Reduction::None).loss;
    assert_all_close(&normalized, &there, 1e-14, "info_nce of unit vectors");

    let scaled = inputs.with("logit_scale", tensor(&[f64::from(2_f32.ln())], &[]));
    let means: Vec<f64> = there.iter().zip(&back).map(|(a, b)| 0.5 * (a + b)).collect();
    let clip = evaluate(&Clip::default(), &scaled, Reduction::None);
    assert_all_close(&clip.loss, &means, 1e-7, "clip");
    assert_eq!(clip.items, 5);
}

#[test]
fn the_positive_of_nt_xent_appears_once_and_self_never() {
    let inputs = two_views(["z_i", "z_j"]);
    let z = unit(&[rows_of(&inputs, "z_i"), rows_of(&inputs, "z_j")].concat());
    let matrix = similarities(&z, &z, 0.5);
    let found = evaluate(&NtXent { temperature: 0.5, ..NtXent::default() }, &inputs, Reduction::None);
    assert_eq!((found.items, &found.shape[..]), (10, &[10][..]));

    // Without the diagonal, a column behind it moves to the left by one: i + N becomes i + N − 1.
    let without_diagonal = |(i, row): (usize, &Vec<f64>)| [&row[..i], &row[i + 1..]].concat();
    let rows: Vec<Vec<f64>> = matrix.iter().enumerate().map(without_diagonal).collect();
    let shifted: Vec<usize> = (0..10).map(|i| if i < 5 { i + 4 } else { i - 5 }).collect();
    assert_all_close(&found.loss, &cross_entropies(&rows, &shifted), 1e-14, "nt_xent");
    let differs = |wrong: &[f64]| found.loss.iter().zip(wrong).all(|(found, wrong)| (found - wrong).abs() > 1e-3);
    let unshifted: Vec<usize> = (0..10).map(|i| (i + 5) % 10 % 9).collect();
    assert!(differs(&cross_entropies(&rows, &unshifted)[..4]), "the column of the positive is shifted");
    let twice: Vec<Vec<f64>> = rows.iter().zip(&shifted).map(|(row, &p)| [&[row[p]], &row[..]].concat()).collect();
    assert!(differs(&cross_entropies(&twice, &[0; 10])), "the positive appears once");
    let opposite: Vec<usize> = (0..10).map(|i| (i + 5) % 10).collect();
    assert!(differs(&cross_entropies(&matrix, &opposite)), "self never");
}

#[test]
fn sup_con_is_the_mean_over_the_positives() {
    let inputs = batch(21);
    let z = unit(&rows_of(&inputs, "embeddings"));
    let found = evaluate(&SupCon { temperature: 0.5, ..SupCon::default() }, &inputs, Reduction::None);
    for (i, row) in similarities(&z, &z, 0.5).iter().enumerate() {
        let others = || (0..LABELS.len()).filter(|&k| k != i);
        let sum: f64 = others().map(|k| row[k].exp()).sum();
        let terms: Vec<f64> =
            others().filter(|&p| LABELS[p] == LABELS[i]).map(|p| -(row[p].exp() / sum).ln()).collect();
        let expected = if terms.is_empty() { 0.0 } else { terms.iter().sum::<f64>() / terms.len() as f64 };
        assert_close(found.loss[i], expected, 1e-14, "sup_con");
    }
    assert_eq!(found.items, 8);
    // With a single positive each it is nt_xent.
    let views = two_views(["z_i", "z_j"]);
    let nt_xent = evaluate(&NtXent { temperature: 0.5, ..NtXent::default() }, &views, Reduction::Mean);
    let rows = [rows_of(&views, "z_i"), rows_of(&views, "z_j")].concat();
    let labels = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4];
    let joined = labelled(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), &labels);
    let sup_con = evaluate(&SupCon { temperature: 0.5, ..SupCon::default() }, &joined, Reduction::Mean);
    assert_eq!(sup_con.loss, nt_xent.loss);
    assert_eq!(sup_con.gradients[0].1, [&nt_xent.gradients[0].1[..], &nt_xent.gradients[1].1].concat());
}

#[track_caller]
fn assert_nothing(found: &Evaluation, items: u64, what: &str) {
    assert_eq!(found.items, items, "{what}");
    let values = found.loss.iter().chain(found.gradients.iter().flat_map(|(_, gradient)| gradient));
    values.for_each(|&x| assert_eq!(x, 0.0, "{what}"));
}

#[test]
fn batches_without_anything_to_compare_have_no_loss() {
    let rows: &[&[f64]] = &[&[1.0, 2.0], &[-1.0, 0.5], &[0.0, 3.0]];
    for loss in every_loss() {
        let loss = loss.as_ref();
        for reduction in loss.spec().reductions() {
            let what = format!("{} {reduction}", described(loss));
            match loss.spec().all_pairs().map(|batch| (batch.relation, batch.anchors)) {
                Some((Relation::Labelled, anchors)) => {
                    let one = evaluate(loss, &labelled(&rows[..1], &[4]), reduction);
                    assert_nothing(&one, 0, &format!("{what}: one row"));
                    let strangers = evaluate(loss, &labelled(rows, &[1, 2, 3]), reduction);
                    assert_nothing(&strangers, 0, &format!("{what}: no positives"));
                    let alike = evaluate(loss, &labelled(rows, &[2; 3]), reduction);
                    match anchors {
                        Anchors::Softmax => assert_eq!(alike.items, 3),
                        _ => assert_nothing(&alike, 0, &format!("{what}: no negatives")),
                    }
                }
                Some((relation, _)) => {
                    let one = evaluate(loss, &inputs_for(loss, &[1, 3][..], reduction, false, 0), reduction);
                    let items = if relation == Relation::Views { 2 } else { 1 };
                    assert_nothing(&one, items, &format!("{what}: one row"));
                }
                None => unreachable!("only losses of batches"),
            }
        }
    }
}

#[test]
fn duplicates_and_zeros_have_gradients_that_are_defined() {
    let rows: &[&[f64]] = &[&[0.0, 0.0], &[1.0, 2.0], &[1.0, 2.0], &[0.0, 0.0], &[1.0, 2.0], &[2.0, 4.0]];
    for loss in every_loss() {
        let loss = loss.as_ref();
        let inputs = match loss.spec().all_pairs().unwrap().relation {
            Relation::Labelled => labelled(rows, &[0, 0, 1, 1, 0, 0]),
            _ => {
                let [first, second] = [0, 1].map(|input| loss.spec().inputs[input].name);
                let scale = (loss.spec().name == "clip").then(|| ("logit_scale".to_string(), tensor(&[0.5], &[1])));
                let pair = paired([first, second], &rows[..3].concat(), &rows[3..].concat(), [3, 2]);
                pair.iter().map(|(name, given)| (name.to_string(), given.clone())).chain(scale).collect()
            }
        };
        let found = evaluate(loss, &inputs, Reduction::Sum);
        let gradient = || found.gradients.iter().flat_map(|(_, gradient)| gradient.iter());
        assert!(found.loss[0].is_finite() && gradient().all(|x| x.is_finite()), "{}: {found:?}", described(loss));
        let has_direction = loss.spec().params.iter().zip(loss.values()).all(|(param, value)| {
            let text = value.to_string();
            param.name != "normalize" && param.name != "distance" || text == "true" || text == "cosine"
        });
        if has_direction {
            assert_eq!(found.gradients[0].1[..2], [0.0; 2], "{}: a zero vector has no direction", described(loss));
        }
    }
    // Two anchors at one place: their distance of 0 has no slope, and the negative's remains.
    let hard = evaluate(&TripletBatchHard::default(), &line(&[1.0, 1.0, 1.5], &[0, 0, 1]), Reduction::Sum);
    assert_eq!((hard.loss[0], &hard.gradients[0].1[..]), (1.0, &[1.0, 1.0, -2.0][..]));
}

#[test]
fn short_vectors_are_divided_by_what_their_length_is_at_least() {
    let short = f64::from(1e-13_f32);
    let inputs = paired(["query", "key"], &[short, 0.0, 0.0, 1.0], &[1.0, 0.0, 0.0, 1.0], [2, 2]);
    let loss = InfoNce { temperature: 1.0, normalize: true, ..InfoNce::default() };
    let found = evaluate(&loss, &inputs, Reduction::None);
    let similarity = short / f64::from(1e-12_f32);
    assert_close(found.loss[0], (-similarity).exp().ln_1p(), 1e-15, "loss");
    // The slope of x/1e-12, in the direction of x too.
    let slope = 1.0 / f64::from(1e-12_f32) / (1.0 + similarity.exp());
    assert_all_close(&found.gradients[0].1[..2], &[-slope, slope], 1e-3, "gradient");
}

fn is_of_directions(loss: &dyn Loss) -> bool {
    let values = Values::new(loss.spec(), loss.values()).unwrap();
    let normalizes = values.has("norm_eps") && values.flag_or("normalize", true);
    normalizes || values.word_or("distance", Distance::Euclidean) == Distance::Cosine
}

#[test]
fn what_is_not_finite_poisons_the_anchors_that_meet_it() {
    // The squares of the last overflow f32, which is of no account to directions.
    for poison in [f64::NAN, f64::INFINITY, 1e20] {
        for loss in every_loss().into_iter().filter(|loss| poison != 1e20 || !is_of_directions(loss.as_ref())) {
            let loss = loss.as_ref();
            let relation = loss.spec().all_pairs().unwrap().relation;
            let name = loss.spec().inputs[0].name;
            let clean = match relation {
                Relation::Labelled => labelled(&[&[1.0], &[2.5], &[4.25], &[2.0]], &[0, 0, 1, 0]),
                _ => inputs_for(loss, &[3, 2][..], Reduction::Sum, false, 5),
            };
            for reduction in loss.spec().reductions() {
                let found = evaluate(loss, &moved(&clean, name, 0, poison), reduction);
                let what = format!("{} {reduction} {poison}", described(loss));
                let expected = match (relation, reduction) {
                    // A row without a positive does not count.
                    (Relation::Labelled, Reduction::None) => vec![true, true, false, true],
                    (Relation::Views, Reduction::None) => vec![true; 6],
                    // Other queries do not meet it.
                    (Relation::Paired, Reduction::None) => vec![true, false, false],
                    (Relation::PairedBothWays, Reduction::None) => vec![true; 3],
                    _ => vec![true],
                };
                assert_eq!(found.loss.iter().map(|x| x.is_nan()).collect::<Vec<_>>(), expected, "{what}");
                assert!(found.gradients[0].1[0].is_nan(), "{what}");
                let gradients = || found.gradients.iter().flat_map(|(_, gradient)| gradient);
                let others_are_clean = relation == Relation::Paired;
                assert!(others_are_clean || gradients().all(|x| x.is_nan()), "{what}: {found:?}");
            }
        }
    }
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let inputs = line(&[0.0, 1.0, 4.0], &[7, 7, 8]);
    let refused = |loss: &dyn Loss, inputs: &Named<HostTensor<'_>>, options: Options| {
        reference::evaluate(loss, inputs, &options).unwrap_err()
    };
    let sum = || Options::new(Reduction::Sum);
    let few_labels = Named::new().with("embeddings", tensor(&[0.0; 3], &[3, 1])).with("labels", classes(&[7, 8], &[2]));
    let losses: [&dyn Loss; 4] =
        [&TripletBatchHard::default(), &TripletSemiHard::default(), &TripletBatchAll::default(), &SupCon::default()];
    for loss in losses {
        let error = refused(loss, &few_labels, sum());
        assert!(matches!(error, Error::Shape { tensor: "labels", .. }), "{error}");
    }
    let uneven = Named::new().with("z_i", tensor(&[0.0; 6], &[3, 2])).with("z_j", tensor(&[0.0; 4], &[2, 2]));
    let error = refused(&NtXent::default(), &uneven, sum());
    assert!(matches!(error, Error::Shape { tensor: "z_j", .. }), "{error}");
    // A weight for each of the 2N rows.
    let views = two_views(["z_i", "z_j"]).with("weight", tensor(&[1.0; 5], &[5]));
    let error = refused(&NtXent::default(), &views, sum());
    assert!(matches!(error, Error::Shape { tensor: "weight", .. }), "{error}");

    let no_margins: [&dyn Loss; 3] = [
        &TripletBatchHard { margin: f32::INFINITY, ..Default::default() },
        &TripletSemiHard { margin: f32::NEG_INFINITY, ..Default::default() },
        &TripletBatchAll { margin: f32::NAN, ..Default::default() },
    ];
    for loss in no_margins {
        let error = refused(loss, &inputs, sum());
        assert!(matches!(error, Error::Parameter { parameter: "margin", .. }), "{error}");
    }
    let cold: [&dyn Loss; 3] = [
        &InfoNce { temperature: 0.0, ..Default::default() },
        &NtXent { temperature: -1.0, ..NtXent::default() },
        &SupCon { temperature: f32::INFINITY, ..SupCon::default() },
    ];
    for loss in cold {
        let error = refused(loss, &inputs, sum());
        assert!(matches!(error, Error::Parameter { parameter: "temperature", .. }), "{error}");
    }

    for loss in [&TripletSemiHard::default() as &dyn Loss, &TripletBatchAll::default()] {
        let loss_name = loss.spec().name;
        assert_eq!(refused(loss, &inputs, Options::new(Reduction::None)), Error::ItemsReduction { loss: loss_name });
    }
    let statistics = Statistics { hardest: true, ..Statistics::default() };
    let hardest = Options { statistics, ..sum() };
    for loss in [&TripletSemiHard::default() as &dyn Loss, &TripletBatchAll::default(), &SupCon::default()] {
        let (loss_name, statistic) = (loss.spec().name, "hardest");
        assert_eq!(refused(loss, &inputs, hardest), Error::Statistic { loss: loss_name, statistic });
    }
}
