// No gradients: the loss alone.

fn store_row(thread: Thread, row: Row, carry: f32) -> f32 {
    return 0.0;
}

fn finish_span(thread: Thread, end: u32, carry: f32) {}
