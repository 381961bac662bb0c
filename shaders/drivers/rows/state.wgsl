// The state of some classes of a row, of any that were walked over: how it begins, and how two of them become one.
//
// Joined to rows.wgsl; offsets.wgsl or no_offsets.wgsl gives is_lower, gap_between and reduce_largest.

// Whether the entropy is wanted, by the caller or by the loss.
const GAPS: bool = ENTROPY || USES_ENTROPY;

// Some logits: their maximum, and Σ exp(x − maximum) without the maximum itself, which adds exactly 1: so a confident
// row keeps its small loss.
struct Softmax {
    // +∞ where a logit is +∞ or NaN.
    maximum: f32,
    // The first column that has the maximum; NOWHERE for no logits at all.
    column: u32,
    others: f32,
}

struct State {
    first: Softmax,
    second: Softmax,
    // The sums of `class_sums`.
    sums: vec2<f32>,
    // What the first softmax's maximum has for an offset.
    offset: f32,
    // Σ exp(x − maximum)·(maximum − x) of the first softmax.
    gaps: f32,
    // Σ exp(x − maximum) of the second softmax less that of the first, with the digits that both have lost.
    excess: f32,
    standing: u32,
}

// The state of a single class. A masked class, −∞, becomes so low a logit that it adds nothing.
fn state_of(row: Row, cell: Cell) -> State {
    let first = Softmax(max(cell.logit, LOWEST), cell.column, 0.0);
    let second = Softmax(max(cell.second, LOWEST), cell.column, 0.0);
    var standing = FINE;
    if (CHECKS_CLASSES) {
        standing = min(standing_of_second(cell.second), standing_of_weight(cell.weight));
    }
    return State(first, second, class_sums(row, cell), cell.offset, 0.0, 0.0, standing);
}

// The state of classes that have a softmax alone.
fn state_of_softmax(first: Softmax) -> State {
    return State(first, Softmax(LOWEST, NOWHERE, 0.0), vec2<f32>(), 0.0, 0.0, 0.0, FINE);
}

fn no_state() -> State {
    return state_of_softmax(Softmax(LOWEST, NOWHERE, 0.0));
}

// Both together, `a` before `b`, of which one is larger. The smaller maximum becomes one of the others.
fn merge_softmax(a: Softmax, b: Softmax, larger: bool, factor: f32) -> Softmax {
    let kept = select(a.others, b.others, larger);
    let joined = select(b.others, a.others, larger);
    let others = kept + (joined + 1.0) * factor;
    return Softmax(select(a.maximum, b.maximum, larger), select(a.column, b.column, larger), others);
}

// The excess of a state whose maxima rise to those of another. How much the smaller one of the two powers falls behind
// comes from the difference of both rises.
fn risen_excess(own: State, to: State) -> f32 {
    let first = exp_nonpositive(-gap_between(own, to));
    let second = exp_nonpositive(-distance_of(own.second.maximum, to.second.maximum));
    let apart = rises_apart(own.first.maximum, to.first.maximum, own.second.maximum, to.second.maximum);
    let difference = select(second - first, first * expm1f(clamp(apart, -1.0, 1.0)), abs(apart) < 1.0);
    return own.excess * first + (own.second.others + 1.0) * difference;
}

// Neither is empty.
fn merge(a: State, b: State) -> State {
    let larger = is_lower(a, b);
    var gap = 0.0;
    var factor = 1.0;
    if (SOFTMAX) {
        gap = gap_between(a, b);
        factor = exp_nonpositive(-gap);
    }
    var merged = a;
    merged.first = merge_softmax(a.first, b.first, larger, factor);
    merged.offset = select(a.offset, b.offset, larger);
    if (CHECKS_CLASSES) {
        merged.standing = min(a.standing, b.standing);
    }
    if (SECOND_SOFTMAX) {
        let second_larger = b.second.maximum > a.second.maximum;
        let second_factor = exp_nonpositive(-distance_of(a.second.maximum, b.second.maximum));
        merged.second = merge_softmax(a.second, b.second, second_larger, second_factor);
    }
    if (EXCESS) {
        merged.excess = risen_excess(a, merged) + risen_excess(b, merged);
    }
    if (SUMS) {
        merged.sums = select(a.sums, b.sums, larger) + shift_sums(select(b.sums, a.sums, larger), gap, factor);
    }
    if (GAPS) {
        let joined = select(b.first.others, a.first.others, larger) + 1.0;
        let gaps = select(b.gaps, a.gaps, larger) * factor + joined * times(factor, gap);
        merged.gaps = select(a.gaps, b.gaps, larger) + gaps;
    }
    return merged;
}

fn join(a: State, b: State) -> State {
    if (a.first.column == NOWHERE) {
        return b;
    }
    if (b.first.column == NOWHERE) {
        return a;
    }
    return merge(a, b);
}

// The state with what `unsigned`, the largest bits of its logits without their sign, tells of NaN: those bits are above
// all others.
fn with_nan(state: State, unsigned: u32) -> State {
    var told = state;
    if (unsigned > 0xff000000u) {
        told.first.maximum = bitcast<f32>((unsigned >> 1u) & 0x7f800000u);
    }
    return told;
}

// The first column that has the maximum of all lanes.
fn reduce_column(thread: Thread, own: Softmax, maximum: f32) -> u32 {
    return reduce_min_u32(thread, select(NOWHERE, own.column, own.maximum == maximum));
}

// What a lane's classes add to the others: its own maximum too, unless it is that of all. A lane without a column has
// none.
fn others_of(own: Softmax, column: u32) -> f32 {
    return own.others + select(1.0, 0.0, own.column == column || own.column == NOWHERE);
}

// The states of all lanes together.
fn reduce_state(thread: Thread, own: State) -> State {
    var state = reduce_largest(thread, own);
    var gap = 0.0;
    var factor = 1.0;
    if (SOFTMAX) {
        gap = gap_between(own, state);
        factor = exp_nonpositive(-gap);
        state.first.others = reduce_add(thread, others_of(own.first, state.first.column) * factor);
    }
    if (SECOND_SOFTMAX) {
        let maximum = reduce_max(thread, own.second.maximum);
        let column = reduce_column(thread, own.second, maximum);
        let second_factor = exp_nonpositive(-distance_of(own.second.maximum, maximum));
        let others = reduce_add(thread, others_of(own.second, column) * second_factor);
        state.second = Softmax(maximum, column, others);
    }
    if (EXCESS) {
        state.excess = reduce_add(thread, select(risen_excess(own, state), 0.0, own.first.column == NOWHERE));
    }
    if (SUMS) {
        // A lane without a column has nothing to shift, by a distance that may be infinite.
        let sums = shift_sums(own.sums, select(gap, 0.0, own.first.column == NOWHERE), factor);
        state.sums = vec2<f32>(reduce_add(thread, sums.x), reduce_add(thread, sums.y));
    }
    if (GAPS) {
        let joined = others_of(own.first, state.first.column);
        state.gaps = reduce_add(thread, own.gaps * factor + joined * times(factor, gap));
    }
    if (CHECKS_CLASSES) {
        state.standing = reduce_min_u32(thread, own.standing);
    }
    return state;
}
