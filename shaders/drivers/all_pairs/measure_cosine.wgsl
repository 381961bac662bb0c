// The value of a pair is 1 − cos. Of rows of unit length that is ½‖x − y‖², which does not cancel for close ones; of
// rows so short that the least divisor takes the place of their lengths' product, less of the cosine is left.

fn value_of(sum: f32, row: u32, column: u32) -> f32 {
    let product = records[call.first_row + row].norm * records[call.first_column + column].norm;
    let kept = kept_cosine(product);
    return (1.0 - kept) + kept * (0.5 * sum);
}
