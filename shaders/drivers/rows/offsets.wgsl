// An offset of each class, which is added to its logit as the loss sees it. The sum is never formed but to be shown:
// what two sums differ by is formed from what the logits and what the offsets differ by, so that large ones cost no
// digits.
//
// What is chosen is chosen by one condition after the other: of several that are joined, for each class of a quad,
// SwiftShader's compiler comes to no end.

const OFFSETS: bool = true;

// The offset of a class, the same in all rows, or each row's own.
fn stored_offset(row: Row, column: u32) -> f32 {
    if (OFFSETS_BY_ROW) {
        return load_class_offset(address(row.value_base, column));
    }
    return load_class_offset(column);
}

// The offset of a class; 0 where it masks the class or spoils the row.
fn offset_of(row: Row, column: u32) -> f32 {
    let offset = stored_offset(row, column);
    return select(0.0, offset, is_finite(offset));
}

// A class with its offset. One of −∞ masks the class, and one that is NaN or +∞ spoils the row, as such a logit does.
// Masked classes have none: no one is above another.
fn with_offset(row: Row, cell: Cell) -> Cell {
    let offset = stored_offset(row, cell.column);
    let infinite = select(bitcast<f32>(bitcast<u32>(offset) & 0x7f800000u), offset, is_masked(offset));
    let spoilt = select(infinite, cell.logit, bitcast<u32>(cell.logit) == 0x7f800000u);
    var moved = cell;
    moved.logit = select(spoilt, cell.logit, is_finite(offset));
    moved.offset = select(select(0.0, offset, is_finite(offset)), 0.0, is_masked(cell.logit));
    return moved;
}

// The upper 12 of 24 digits: sums of a few such numbers have no more than 24.
fn upper_digits(values: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(values) & vec4<u32>(0xfffff000u));
}

// How far a logit y with its offset is above another, x; below 0 where it is lower. Neither is infinite.
fn rise(x: f32, x_offset: f32, y: f32, y_offset: f32) -> f32 {
    if (SEES) {
        let distance = distance_of(x, y);
        return select(-distance, distance, x < y) + (y_offset - x_offset);
    }
    let values = vec4<f32>(x, x_offset, y, y_offset);
    let upper = upper_digits(values);
    let lower = values - upper;
    return ((upper.z - upper.x) + (upper.w - upper.y)) + ((lower.z - lower.x) + (lower.w - lower.y));
}

// A logit that spoils its row is above all others.
fn is_lower(a: State, b: State) -> bool {
    let between = rise(a.first.maximum, a.offset, b.first.maximum, b.offset);
    let spoilt = select(between, 1.0, !is_finite(b.first.maximum));
    return select(spoilt, -1.0, !is_finite(a.first.maximum)) > 0.0;
}

fn gap_between(a: State, b: State) -> f32 {
    return abs(rise(a.first.maximum, a.offset, b.first.maximum, b.offset));
}

// How far a logit is below a state's largest one.
fn gap_below(logit: f32, offset: f32, state: State) -> f32 {
    let gap = rise(max(logit, LOWEST), offset, state.first.maximum, state.offset);
    return select(gap, bitcast<f32>(bitcast<u32>(logit) & 0x7f800000u), is_masked(logit));
}

// The state of the lane that has the largest key, of several the one of the first column.
fn largest_by(thread: Thread, own: State, key: f32) -> State {
    var state = own;
    let largest = reduce_max(thread, key);
    state.first.column = reduce_min_u32(thread, select(NOWHERE, own.first.column, key == largest));
    let is_own = own.first.column == state.first.column;
    state.first.maximum = reduce_max(thread, select(LOWEST, own.first.maximum, is_own));
    state.offset = reduce_max(thread, select(LOWEST, own.offset, is_own));
    return state;
}

// A lane's state with the largest logit of all lanes in place of its own: first by sums, which are rounded, then by
// what rises above the one found so.
fn reduce_largest(thread: Thread, own: State) -> State {
    let maximum = own.first.maximum;
    let seen = select(seen_logit(maximum) + own.offset, maximum, maximum <= LOWEST);
    let near = largest_by(thread, own, select(maximum, seen, is_finite(maximum)));
    let above = rise(near.first.maximum, near.offset, maximum, own.offset);
    let key = select(maximum, above, is_finite(near.first.maximum));
    return largest_by(thread, own, select(maximum, key, is_finite(maximum)));
}
