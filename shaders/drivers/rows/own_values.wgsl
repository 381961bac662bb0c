// Of losses that take values of their own for each row: the hook `item_outcome` gets the row's index, by which these
// are loaded. The header gives has_nan besides.

// The index in the chunk of a row, by where its values for all classes begin.
fn index_of(row: Row) -> u32 {
    let place = row.value_base - call.value_base;
    let sample = call.classes * call.class_stride;
    return place / sample * call.class_stride + place % sample;
}

// All that a NaN touches becomes one.
fn row_outcome(row: Row) -> Outcome {
    let index = index_of(row);
    let outcome = item_outcome(row, index);
    if (has_nan(index)) {
        let nan = nan_from(outcome.loss);
        return Outcome(nan, vec3<f32>(nan));
    }
    return outcome;
}
