// Row losses: one item a row of `params.classes` logits, with a class index as its target. A workgroup owns a contiguous span of rows and works
// on one row at a time, its lanes interleaved along the classes.
//
// The header gives: load_logits, load_target, load_weight, load_upstream (by element or row), store_loss, ADD_GRADIENTS; the hook gives
// row_loss and row_gradient; a store_row file gives store_row and finish_span.

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
    // What each gradient is multiplied with; 0 where the row does not count.
    scale: f32,
    counts: bool,
    // A NaN or +∞ among the logits.
    spoilt: bool,
}

// Whether the target is a class; a row of `ignore_index` is neither counted nor an error.
fn is_class(label: i32) -> bool {
    return label >= 0 && u32(label) < params.classes;
}

// The largest logit; +∞ where one is NaN or +∞.
fn row_maximum(thread: Thread, base: u32, columns: u32) -> f32 {
    // A finite start: compilers may assume that infinities do not occur.
    var largest = -3.4028234e38;
    for (var column = thread.lane; column < columns; column += WORKGROUP_SIZE) {
        let bits = bitcast<u32>(load_logits(base + column));
        let spoilt = (bits & 0x7f800000u) == 0x7f800000u && bits != 0xff800000u;
        // The exponent bits of a NaN or an infinity are those of +∞.
        largest = max(largest, bitcast<f32>(select(bits, bits & 0x7f800000u, spoilt)));
    }
    return reduce_max(thread, largest);
}

// Σ exp(x − maximum) without one occurrence of the maximum, which adds exactly 1: so a confident row keeps its small loss.
fn sum_of_others(thread: Thread, base: u32, columns: u32, maximum: f32) -> f32 {
    let stride = WORKGROUP_SIZE;
    var sum = 0.0;
    var first_maximum = NOWHERE;
    for (var block = 0u; block < columns; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, columns);
        var block_sum = 0.0;
        for (var column = block + thread.lane; column < block_end; column += stride) {
            let logit = load_logits(base + column);
            // The lane's first maximum is left out; all but the first of all lanes are put back below.
            let left_out = logit == maximum && first_maximum == NOWHERE;
            block_sum += select(exp_nonpositive(logit - maximum), 0.0, left_out);
            first_maximum = select(first_maximum, column, left_out);
        }
        sum += block_sum;
    }
    let winner = reduce_min_u32(thread, first_maximum);
    return reduce_add(thread, sum + select(0.0, 1.0, first_maximum != NOWHERE && first_maximum != winner));
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
        row.counts = is_class(label);
        // Barriers need uniform flow: a row that does not count is walked over zero columns.
        let columns = select(0u, params.classes, row.counts);
        row.maximum = row_maximum(thread, row.base, columns);
        row.spoilt = !is_finite(row.maximum);
        let others = sum_of_others(thread, row.base, columns, row.maximum);
        var item_loss = 0.0;
        if (row.counts) {
            row.target_class = u32(label);
            row.target_logit = load_logits(row.base + row.target_class);
            row.log_norm = log1pf(others);
            row.inverse_norm = 1.0 / (1.0 + others);
            let weight = load_weight(index);
            row.scale = scale * weight * load_upstream(index);
            item_loss = weight * row_loss(row);
            if (row.spoilt) {
                item_loss = nan_from(row.maximum);
                row.scale = item_loss;
            }
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
    let column = index - row.base;
    return row.scale * row_gradient(row, load_logits(index), column == row.target_class);
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
            if (is_class(load_target(index))) {
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
