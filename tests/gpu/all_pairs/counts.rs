//! Counts of triplets that no 32 bits hold.

use wgloss::{DType, Loss, Reduction, TripletBatchAll};

use super::{effort, embeddings, labels};

/// Two labels at 0 and at 2: with every anchor half of the others are positives at the distance 0, half negatives at 2.
#[test]
fn counts_beyond_32_bits_are_exact() {
    const ROWS: usize = 2600;
    const HALF: u64 = ROWS as u64 / 2;
    let values: Vec<f64> = (0..ROWS).map(|row| f64::from(row as u32 % 2) * 2.0).collect();
    let classes: Vec<i32> = (0..ROWS as i32).map(|row| row % 2).collect();
    let triplets = 2 * HALF * (HALF - 1) * HALF;
    assert!(triplets > 1 << 32);
    for gpu in effort::adapters(0) {
        let loss = TripletBatchAll { margin: 3.0, ..TripletBatchAll::default() };
        let found = loss.eval(gpu, embeddings(&values, DType::F32, ROWS), labels(&classes), Reduction::Mean).unwrap();
        assert_eq!(found.items, triplets, "{gpu:?}");
        let mining = found.mining().unwrap();
        assert_eq!((mining.triplets, mining.active), (triplets, triplets), "{gpu:?}");
        assert_eq!(mining.active_fraction(), 1.0);
        assert_eq!((mining.positive_distance, mining.negative_distance), (0.0, 2.0), "{gpu:?}");
        // 0 − 2 + 3 each. Sums of so many equal losses are rounded the same way again and again.
        approx::assert_relative_eq!(found.loss.item(), 1.0, max_relative = 2e-6);
        // Each anchor pulls with HALF − 1 of its triplets on each negative, and is pulled as much.
        let share = 2.0 * (HALF * (HALF - 1)) as f64 / triplets as f64;
        for (row, gradient) in found.gradients.get("embeddings").unwrap().to_f64().into_iter().enumerate() {
            let expected = if row % 2 == 0 { share } else { -share };
            approx::assert_relative_eq!(gradient, expected, max_relative = 2e-6);
        }
    }
}
