//! Which rows are mined.

use wgloss::{DType, Error, Hardest, Loss, Options, Reduction, Statistics, TripletBatchHard};

use super::{adapters, embeddings, every_loss, inputs, labels};

const HARDEST: Options = Options {
    statistics: Statistics { hardest: true, ..Options::new(Reduction::None).statistics },
    ..Options::new(Reduction::None)
};

#[test]
fn of_equally_far_rows_the_lower_index_is_mined() {
    // On a line: 0 has its positives 1, 3 and 5 at distances 2, 2 and 1, its negatives 2 and 4 at 3.
    let values = [0.0, 2.0, 3.0, -2.0, -3.0, 1.0];
    let classes = [1, 1, 2, 1, 3, 1];
    for gpu in adapters::all() {
        for dtype in DType::FLOATS {
            let found = TripletBatchHard::default()
                .eval(gpu, embeddings(&values, dtype, 6), labels(&classes), HARDEST)
                .unwrap();
            let Hardest { positive, negative } = found.hardest().unwrap();
            assert_eq!(positive.to_vec::<i32>().unwrap(), [1, 3, -1, 1, -1, 3], "{gpu:?}");
            assert_eq!(negative.to_vec::<i32>().unwrap(), [2, 2, -1, 4, -1, 2], "{gpu:?}");
            assert_eq!(found.items, 4);
        }
    }
}

/// Ties in every lane and across lanes: all rows are one point.
#[test]
fn of_duplicates_the_first_is_mined() {
    const ROWS: usize = 77;
    let classes: Vec<i32> = (0..ROWS as i32).map(|row| row % 3).collect();
    for gpu in adapters::all() {
        let points = embeddings(&[0.1; ROWS * 3], DType::F32, ROWS);
        let found = TripletBatchHard::default().eval(gpu, points, labels(&classes), HARDEST).unwrap();
        let Hardest { positive, negative } = found.hardest().unwrap();
        let firsts = |row: usize| if row < 3 { row as i32 + 3 } else { row as i32 % 3 };
        assert_eq!(positive.to_vec::<i32>().unwrap(), (0..ROWS).map(firsts).collect::<Vec<_>>(), "{gpu:?}");
        let others = |row: usize| i32::from(row.is_multiple_of(3));
        assert_eq!(negative.to_vec::<i32>().unwrap(), (0..ROWS).map(others).collect::<Vec<_>>(), "{gpu:?}");
        assert!(found.gradients.get("embeddings").unwrap().to_f64().iter().all(|&x| x == 0.0));
    }
}

#[test]
fn only_batch_hard_has_hardest_rows() {
    let gpu = &adapters::every()[0];
    for loss in every_loss().into_iter().filter(|loss| loss.spec().name != "triplet_batch_hard") {
        let options = Options { reduction: Reduction::Sum, ..HARDEST };
        let error = loss.eval_with(gpu, &inputs(&loss, [4, 2], DType::F32, false), options).unwrap_err();
        assert_eq!(error, Error::Statistic { loss: loss.spec().name, statistic: "hardest" });
    }
}
