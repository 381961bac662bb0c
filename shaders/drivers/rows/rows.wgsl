// What the row drivers share: how a row is read, and what becomes of it.
//
// Joined to what interface.wgsl lists and to state.wgsl; a walk file gives walk and walk_middle; the hooks row_outcome,
// class_gradient and, by choice, others (hooks/).

// How a row stands.
const OUT_OF_RANGE: u32 = 0u;
const SPOILT: u32 = 1u; // by a NaN or +∞
const FINE: u32 = 2u;

// How a row stands by a value of its second input.
fn standing_of_second(value: f32) -> u32 {
    if (!HAS_SECOND) {
        return FINE;
    }
    if (SECOND_IS_PROBABILITY) {
        return select(select(FINE, SPOILT, is_nan(value)), OUT_OF_RANGE, !is_probability(value));
    }
    return select(FINE, SPOILT, is_nan(value) || bitcast<u32>(value) == 0x7f800000u);
}

// How a row stands by the weight of a class.
fn standing_of_weight(value: f32) -> u32 {
    return select(select(SPOILT, FINE, is_finite(value)), OUT_OF_RANGE, value < 0.0);
}

struct Row {
    // 1 where it counts: it is there, not ignored and in range.
    counts: u32,
    // Its target, where it has one.
    label: u32,
    // The indices of its first elements: of the first input, of the second, and among the values of all classes.
    base: u32,
    second_base: u32,
    value_base: u32,
    // Of the target's class.
    target_logit: f32,
    target_weight: f32,
    // What its gradients are multiplied with.
    scale: f32,
    state: State,
    // log Σ exp(x − maximum), and 1 / Σ exp(x − maximum).
    log_norm: f32,
    inverse_norm: f32,
    // log of the second input's Σ exp over the first one's, and the inverse of the former.
    log_norm_ratio: f32,
    second_inverse_norm: f32,
    // The sums of `middle_sums`.
    middle: vec4<f32>,
    // What the loss's gradient needs besides.
    factors: vec3<f32>,
    // Its index in the chunk.
    index: u32,
}

// One class of a row.
struct Cell {
    column: u32,
    logit: f32,
    // Its value in the second input; of a function of a value per class, its upstream.
    second: f32,
    weight: f32,
    // What is added to its logit as the loss sees it.
    offset: f32,
}

// What the loss makes of a row, and what its gradient needs to know of it.
struct Outcome {
    loss: f32,
    factors: vec3<f32>,
}

// Whether a row is neither counted nor an error: it is left out, or has `ignore_index`, even where that is a class.
fn is_passed_over(index: u32, label: i32) -> bool {
    return !is_kept(index) || (HAS_TARGET && is_ignored(label));
}

fn is_counted(index: u32, label: i32) -> bool {
    let is_class = !HAS_TARGET || (label >= 0 && u32(label) < call.classes);
    return is_class && !is_passed_over(index, label);
}

fn begin_row(index: u32, label: i32) -> Row {
    var row = Row();
    row.index = index;
    var outer = index;
    var inner = 0u;
    if (!CONTIGUOUS) {
        outer = index / call.class_stride;
        inner = index % call.class_stride;
    }
    row.base = call.row_base + outer * call.row_stride + inner;
    row.second_base = call.second_base + outer * call.second_stride + inner;
    row.value_base = call.value_base + outer * call.classes * call.class_stride + inner;
    row.counts = select(0u, 1u, is_counted(index, label));
    if (HAS_TARGET && row.counts != 0u) {
        row.label = u32(label);
        let wanted = cell_of(row, row.label, load_first(address(row.base, row.label)), 1.0);
        row.target_logit = wanted.logit;
        row.target_weight = wanted.weight;
    }
    return row;
}

// The weight of a class, the same in all rows, or each row's own.
fn class_weight(row: Row, column: u32) -> f32 {
    if (WEIGHTS_BY_ROW) {
        return load_class_weight(address(row.value_base, column));
    }
    return load_class_weight(column);
}

// Barriers need uniform flow: a row that does not count is walked over zero columns, unless its statistics are asked
// for.
fn columns_of(row: Row) -> u32 {
    return select(0u, call.classes, row.counts != 0u || STATISTICS);
}

// The index of a class's element in a row that starts at `base`.
fn address(base: u32, column: u32) -> u32 {
    if (CONTIGUOUS) {
        return base + column;
    }
    return base + column * call.class_stride;
}

fn load_cell(row: Row, column: u32, logit: f32) -> Cell {
    if (PER_CLASS) {
        return cell_of(row, column, logit, load_upstream(address(row.value_base, column)));
    }
    return cell_of(row, column, logit, load_second(address(row.second_base, column)));
}

fn cell_of(row: Row, column: u32, logit: f32, second: f32) -> Cell {
    let present = present_logit(row, column, logit);
    return with_offset(row, Cell(column, present, second, class_weight(row, column), 0.0));
}

// The row with the state of all its classes.
fn with_state(row: Row, state: State) -> Row {
    var known = row;
    known.state = state;
    if (SOFTMAX) {
        known.log_norm = log1pf(state.first.others);
        known.inverse_norm = 1.0 / (1.0 + state.first.others);
    }
    if (SECOND_SOFTMAX) {
        known.second_inverse_norm = 1.0 / (1.0 + state.second.others);
        // Not the difference of two logarithms, which would keep the rounding of each.
        let excess = select(state.second.others - state.first.others, state.excess, EXCESS);
        let ratio = log1pf(abs(excess) * select(known.second_inverse_norm, known.inverse_norm, excess > 0.0));
        known.log_norm_ratio = select(-ratio, ratio, excess > 0.0);
    }
    return known;
}

// The sums of the second walk over blocks, `BLOCK` blocks at a time.
struct MiddleSums {
    // Of all blocks but the recent ones, and of those since.
    total: vec4<f32>,
    recent: vec4<f32>,
    blocks: u32,
}

fn with_block(sums: MiddleSums, block: vec4<f32>) -> MiddleSums {
    let recent = sums.recent + block;
    let blocks = sums.blocks + 1u;
    if (blocks % BLOCK == 0u) {
        return MiddleSums(sums.total + recent, vec4<f32>(), blocks);
    }
    return MiddleSums(sums.total, recent, blocks);
}

fn reduce_middle(thread: Thread, own: vec4<f32>) -> vec4<f32> {
    let low = vec2<f32>(reduce_add(thread, own.x), reduce_add(thread, own.y));
    return vec4<f32>(low, reduce_add(thread, own.z), reduce_add(thread, own.w));
}

// What a lane has seen of rows, or with a row to all lanes, the workgroup.
struct Tally {
    loss: f32,
    block_loss: f32,
    rows: u32,
    items: u32,
    invalid: u32,
    first_invalid: u32,
    correct: u32,
}

var<private> tally: Tally;

fn begin_tally() {
    tally = Tally(0.0, 0.0, 0u, 0u, 0u, NOWHERE, 0u);
}

// The finished row: its loss and what its gradients need, counted and, by one lane, stored.
fn settle(unfinished: Row, index: u32, label: i32, stores: bool) -> Row {
    var row = unfinished;
    let has_largest = is_finite(row.state.first.maximum);
    let is_spoilt = row.state.standing == SPOILT || !has_largest;
    let is_candidate = row.counts != 0u;
    let is_out = LOG_PROBABILITIES && has_largest && !is_log_probability(row.state.first.maximum);
    if (row.state.standing == OUT_OF_RANGE || is_out) {
        row.counts = 0u;
    }
    var loss = 0.0;
    if (row.counts != 0u) {
        let weight = load_weight(index);
        row.scale = gradient_scale() * weight;
        if (!PER_CLASS) {
            row.scale *= load_upstream(index);
        }
        let outcome = row_outcome(row);
        row.factors = outcome.factors;
        loss = (loss_share() * weight) * outcome.loss;
        if (is_spoilt) {
            loss = nan_from(row.state.first.maximum);
            row.scale = loss;
        }
        tally.items += 1u;
        tally.correct += select(0u, 1u, row.state.first.column == row.label && has_largest);
    } else if (is_candidate || !is_passed_over(index, label)) {
        tally.invalid += 1u;
        tally.first_invalid = min(tally.first_invalid, index);
    }
    tally.block_loss += loss;
    tally.rows += 1u;
    if (tally.rows % BLOCK == 0u) {
        tally.loss += tally.block_loss;
        tally.block_loss = 0.0;
    }
    if (stores) {
        store_loss(index, loss);
        store_log_sum_exp(index, select(nan_from(row.state.first.maximum), log_sum_exp(row), has_largest));
        store_argmax(index, select(-1, bitcast<i32>(row.state.first.column), has_largest));
        store_entropy(index, select(nan_from(row.state.first.maximum), entropy(row), has_largest));
        let log_prob = select(nan_from(row.state.first.maximum), target_log_probability(row), has_largest);
        store_log_prob(index, select(0.0, log_prob, row.counts != 0u));
        store_own_statistics(row, index, is_spoilt);
    }
    return row;
}

// Of the logits as the loss sees them. A row with every class masked has none.
fn log_sum_exp(row: Row) -> f32 {
    let maximum = row.state.first.maximum;
    if (maximum == LOWEST) {
        return bitcast<f32>((bitcast<u32>(maximum) & 0x80000000u) | 0x7f800000u);
    }
    return (seen_logit(maximum) + row.state.offset) + row.log_norm;
}

// How far a class's logit is below the row's largest, as the loss sees both, before any exponential.
fn gap_of(row: Row, cell: Cell) -> f32 {
    return gap_below(cell.logit, cell.offset, row.state);
}

// The same of the target's class.
fn target_gap(row: Row) -> f32 {
    return gap_below(row.target_logit, offset_of(row, row.label), row.state);
}

// log p of the target's class.
fn target_log_probability(row: Row) -> f32 {
    return -target_gap(row) - row.log_norm;
}

// Σ p·(maximum − x), which is the entropy but for `log_norm`.
fn mean_gap(row: Row) -> f32 {
    return row.state.gaps * row.inverse_norm;
}

// −Σ p·log p, a sum of what is never below 0. A row with every class masked has none.
fn entropy(row: Row) -> f32 {
    return select(mean_gap(row) + row.log_norm, 0.0, row.state.first.maximum == LOWEST);
}

fn partial_of(rows: Tally) -> Partial {
    return Partial(rows.loss + rows.block_loss, rows.items, rows.invalid, rows.first_invalid, rows.correct);
}

// Leaves the partial of a workgroup whose lanes have rows of their own.
fn store_tally(thread: Thread, workgroup: u32) {
    let own = partial_of(tally);
    let loss = reduce_add(thread, own.loss);
    let items = reduce_add_u32(thread, own.items);
    let invalid = reduce_add_u32(thread, own.invalid);
    let first_invalid = reduce_min_u32(thread, own.first_invalid);
    let correct = reduce_add_u32(thread, own.correct);
    if (thread.lane == 0u) {
        workspace.partials[call.first_partial + workgroup] = Partial(loss, items, invalid, first_invalid, correct);
    }
}

// softmax(x) of one class, to a precision relative to 1.
fn probability_of(row: Row, cell: Cell) -> f32 {
    return coarse_exp_nonpositive(-gap_of(row, cell)) * row.inverse_norm;
}

// The same to its own relative precision.
fn exact_probability_of(row: Row, cell: Cell) -> f32 {
    return exp_nonpositive(-gap_of(row, cell)) * row.inverse_norm;
}

// The cell of the largest logit, which may be overwritten already.
fn largest_of(row: Row) -> Cell {
    return load_cell(row, row.state.first.column, row.state.first.maximum);
}

// The value of one class, where the loss has one for each: 0 where the row does not count.
fn value_of(row: Row, cell: Cell) -> f32 {
    let maximum = row.state.first.maximum;
    let value = select(nan_from(maximum), class_value(row, cell), is_finite(maximum));
    return select(0.0, value, row.counts != 0u);
}

// The gradient of one logit, 0 where the row does not count, or the class is left out, whatever its logits.
fn gradient_of(row: Row, cell: Cell) -> f32 {
    let counts = row.counts != 0u && !is_left_out(row, cell.column);
    return select(0.0, row.scale * class_gradient(row, cell) * slope_of(cell.logit), counts);
}

// The gradient of one logit; the value of its class is stored.
fn evaluate_cell(row: Row, cell: Cell) -> f32 {
    if (PER_CLASS) {
        store_value(address(row.value_base, cell.column), value_of(row, cell));
    }
    return gradient_of(row, cell);
}

fn evaluate_class(row: Row, column: u32) -> f32 {
    return evaluate_cell(row, load_cell(row, column, kept_logit(row, column)));
}

fn store_class(row: Row, column: u32) {
    put_gradient(address(row.base, column), evaluate_class(row, column));
}

// The rows that count, or what a mean divides by in place of their number.
@compute @workgroup_size(WORKGROUP_SIZE)
fn measure(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * call.tally_span;
    let end = min(first + call.tally_span, call.length);
    var total = 0.0;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_total = 0.0;
        for (var index = block + thread.lane; index < block_end; index += stride) {
            let label = load_target(index);
            if (is_counted(index, label)) {
                var share = select(1.0, load_weight(index), call.measured == WEIGHTED);
                if (MEAN_OVER_CLASS_WEIGHTS) {
                    share *= begin_row(index, label).target_weight;
                }
                block_total += share;
            }
        }
        total += block_total;
    }
    total = reduce_add(thread, total);
    if (thread.lane == 0u) {
        workspace.partials[call.first_partial + workgroup.x] = Partial(total, 0u, 0u, NOWHERE, 0u);
    }
}
