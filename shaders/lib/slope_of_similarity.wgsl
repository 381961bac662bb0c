// Of losses of similarities: what a derivative by a pair's value adds to the gradients of both rows.

fn put_slope(place: u32, slope: f32, value: f32, row: u32, column: u32) {
    panel[place] = slope * value_scale();
}
