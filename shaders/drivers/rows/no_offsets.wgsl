// Logits without offsets: the larger one as it is stored is the larger one as the loss sees it.

const OFFSETS: bool = false;

fn offset_of(row: Row, column: u32) -> f32 {
    return 0.0;
}

fn with_offset(row: Row, cell: Cell) -> Cell {
    return cell;
}

fn is_lower(a: State, b: State) -> bool {
    return b.first.maximum > a.first.maximum;
}

fn gap_between(a: State, b: State) -> f32 {
    return distance_of(a.first.maximum, b.first.maximum);
}

// How far a logit is below a state's largest one.
fn gap_below(logit: f32, offset: f32, state: State) -> f32 {
    return distance_of(logit, state.first.maximum);
}

// A lane's state with the largest logit of all lanes in place of its own.
fn reduce_largest(thread: Thread, own: State) -> State {
    var state = own;
    state.first.maximum = reduce_max(thread, own.first.maximum);
    state.first.column = reduce_column(thread, own.first, state.first.maximum);
    return state;
}
