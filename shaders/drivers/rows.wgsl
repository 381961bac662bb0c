// Row losses: one item a row of `params.classes` logits, with a class index as its target. A workgroup owns a contiguous span of rows and works
// on one row at a time, its lanes interleaved along the classes.
//
// The header gives: load_logits, load_target, load_weight, load_upstream (by element or row), store_loss; the hook gives row_loss,
// target_gradient and logit_gradient (of the other classes); a store_row file gives store_row and finish_span.

// Sums of this many logits a lane, and of this many rows, are closed before they join the total, so that rounding does not grow with the length.
const BLOCK: u32 = 64u;

struct Row {
    // The index of its first logit within the chunk.
    base: u32,
    target_class: u32,
    target_logit: f32,
    maximum: f32,
    // log Σ exp(x − maximum), and 1 / Σ exp(x − maximum).
    log_norm: f32,
    inverse_norm: f32,
    // What each gradient is multiplied with.
    scale: f32,
    target_gradient: f32,
    counts: bool,
}

// A row of `ignore_index` is neither counted nor an error, even where that is a class.
fn is_counted(label: i32) -> bool {
    return label >= 0 && u32(label) < params.classes && label != params.ignore_index;
}

struct Maximum {
    // The largest logit; +∞ where one is NaN.
    logit: f32,
    // The first column that has it.
    column: u32,
}

fn row_maximum(thread: Thread, base: u32, columns: u32) -> Maximum {
    // A finite start: compilers may assume that infinities do not occur.
    var largest = -3.4028234e38;
    var column = NOWHERE;
    // The largest bits without their sign: those of a NaN are above all others.
    var unsigned = 0u;
    for (var i = thread.lane; i < columns; i += WORKGROUP_SIZE) {
        let logit = load_logits(base + i);
        let larger = logit > largest;
        largest = select(largest, logit, larger);
        column = select(column, i, larger);
        unsigned = max(unsigned, bitcast<u32>(logit) << 1u);
    }
    if (unsigned > 0xff000000u) {
        largest = bitcast<f32>((unsigned >> 1u) & 0x7f800000u);
    }
    let maximum = reduce_max(thread, largest);
    return Maximum(maximum, reduce_min_u32(thread, select(NOWHERE, column, largest == maximum)));
}

// Σ exp(x − maximum) without the maximum itself, which adds exactly 1: so a confident row keeps its small loss.
fn sum_of_others(thread: Thread, base: u32, columns: u32, maximum: Maximum) -> f32 {
    let stride = WORKGROUP_SIZE;
    var sum = 0.0;
    for (var block = 0u; block < columns; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, columns);
        var block_sum = 0.0;
        for (var column = block + thread.lane; column < block_end; column += stride) {
            let exponential = exp_nonpositive(load_logits(base + column) - maximum.logit);
            block_sum += select(exponential, 0.0, column == maximum.column);
        }
        sum += block_sum;
    }
    return reduce_add(thread, sum);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(thread: Thread) {
    let first = thread.workgroup.x * params.span;
    let end = min(first + params.span, params.length);
    let scale = gradient_scale();

    // Rows are worked on by all lanes alike, so these are the same in each.
    var loss = 0.0;
    var block_loss = 0.0;
    var items = 0u;
    var invalid = 0u;
    var first_invalid = NOWHERE;
    var carry = 0.0;
    for (var index = first; index < end; index++) {
        let label = load_target(index);
        var row = Row();
        row.base = index * params.classes;
        row.counts = is_counted(label);
        // Barriers need uniform flow: a row that does not count is walked over zero columns.
        let columns = select(0u, params.classes, row.counts);
        let maximum = row_maximum(thread, row.base, columns);
        let others = sum_of_others(thread, row.base, columns, maximum);
        var item_loss = 0.0;
        if (row.counts) {
            row.target_class = u32(label);
            row.target_logit = load_logits(row.base + row.target_class);
            row.maximum = maximum.logit;
            row.log_norm = log1pf(others);
            row.inverse_norm = 1.0 / (1.0 + others);
            let weight = load_weight(index);
            row.scale = scale * weight * load_upstream(index);
            item_loss = weight * row_loss(row);
            if (!is_finite(row.maximum)) {
                // A NaN or +∞ among the logits.
                item_loss = nan_from(row.maximum);
                row.scale = item_loss;
            }
            row.target_gradient = target_gradient(row);
            items += 1u;
        } else if (label != params.ignore_index) {
            invalid += 1u;
            first_invalid = min(first_invalid, index);
        }
        block_loss += item_loss;
        if ((index - first) % BLOCK == BLOCK - 1u) {
            loss += block_loss;
            block_loss = 0.0;
        }
        if (thread.lane == 0u) {
            store_loss(index, item_loss);
        }
        carry = store_row(thread, row, carry);
    }
    finish_span(thread, end, carry);

    if (thread.lane == 0u) {
        workspace.partials[params.first_partial + thread.workgroup.x] = Partial(loss + block_loss, items, invalid, first_invalid);
    }
}

// The gradient of one logit.
fn gradient_of(row: Row, index: u32) -> f32 {
    if (!row.counts) {
        return 0.0;
    }
    let gradient = logit_gradient(row, load_logits(index));
    return row.scale * select(gradient, row.target_gradient, index - row.base == row.target_class);
}

// The number of rows that count, or with `params.weighted` the sum of their weights: what `mean` and `weighted_mean` divide by.
@compute @workgroup_size(WORKGROUP_SIZE)
fn measure(thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = thread.workgroup.x * params.span;
    let end = min(first + params.span, params.length);
    var total = 0.0;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_total = 0.0;
        for (var index = block + thread.lane; index < block_end; index += stride) {
            if (is_counted(load_target(index))) {
                block_total += select(1.0, load_weight(index), params.weighted != 0u);
            }
        }
        total += block_total;
    }
    total = reduce_add(thread, total);
    if (thread.lane == 0u) {
        workspace.partials[params.first_partial + thread.workgroup.x] = Partial(total, 0u, 0u, NOWHERE);
    }
}
