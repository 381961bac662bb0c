// Of losses that take values of their own for each row: the hook `item_outcome` gets the row's index, by which these
// are loaded. The header gives has_nan besides.

// All that a NaN touches becomes one.
fn row_outcome(row: Row) -> Outcome {
    let outcome = item_outcome(row, row.index);
    if (has_nan(row.index)) {
        let nan = nan_from(outcome.loss);
        return Outcome(nan, vec3<f32>(nan));
    }
    return outcome;
}
