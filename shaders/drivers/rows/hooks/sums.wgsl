// No sums over the classes besides the softmax.

const SUMS: bool = false;

// What a class adds to the two sums of a row that has no other.
fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    return vec2<f32>();
}

// The sums of a row whose maximum rises by `rise`; `shrink` is exp(−rise).
fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return sums;
}
