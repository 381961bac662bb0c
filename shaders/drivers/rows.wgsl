// Row losses: one item a row of `params.classes` logits, with a class index as its target. A workgroup owns a
// contiguous span of rows and works on one row at a time, its lanes interleaved along the classes.
//
// The header gives: load_logits, load_target, load_weight, load_upstream (by element or row), store_loss; the hook
// gives row_loss, target_gradient and logit_gradient (of the other classes); a store_row file gives store_row and
// finish_span.

struct Row {
    // The indices of its first logit and of its target's logit within the chunk.
    base: u32,
    target_index: u32,
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

// The lowest finite value: compilers may assume that infinities do not occur.
const LOWEST: f32 = -3.4028234e38;

// Some logits: their maximum, and Σ exp(x − maximum) without the maximum itself, which adds exactly 1: so a confident
// row keeps its small loss.
struct Softmax {
    // +∞ where a logit is NaN.
    maximum: f32,
    // The first column that has the maximum; NOWHERE for no logits at all.
    column: u32,
    others: f32,
}

// Both together, `a` before `b`, which is not empty. The smaller maximum becomes one of the others.
fn join(a: Softmax, b: Softmax) -> Softmax {
    if (a.column == NOWHERE) {
        return b;
    }
    let factor = exp_nonpositive(-abs(a.maximum - b.maximum));
    if (b.maximum > a.maximum) {
        return Softmax(b.maximum, b.column, b.others + (a.others + 1.0) * factor);
    }
    return Softmax(a.maximum, a.column, a.others + (b.others + 1.0) * factor);
}

// The softmax of a row, each logit read once.
fn row_softmax(thread: Thread, base: u32, columns: u32) -> Softmax {
    let stride = WORKGROUP_SIZE;
    var total = Softmax(LOWEST, NOWHERE, 0.0);
    // The largest bits without their sign: those of a NaN are above all others.
    var unsigned = 0u;
    for (var start = thread.lane; start < columns; start += BLOCK * stride) {
        let end = min(start + BLOCK * stride, columns);
        let first = load_logits(base + start);
        unsigned = max(unsigned, bitcast<u32>(first) << 1u);
        // A masked class, −∞, becomes so low a logit that it adds nothing.
        var block = Softmax(max(first, LOWEST), start, 0.0);
        for (var column = start + stride; column < end; column += stride) {
            let raw = load_logits(base + column);
            unsigned = max(unsigned, bitcast<u32>(raw) << 1u);
            // `join` for one logit: with or without a new maximum it is the same exponential.
            let logit = max(raw, LOWEST);
            let larger = logit > block.maximum;
            let factor = exp_nonpositive(-abs(logit - block.maximum));
            block.others = select(block.others + factor, (block.others + 1.0) * factor, larger);
            block.maximum = select(block.maximum, logit, larger);
            block.column = select(block.column, column, larger);
        }
        total = join(total, block);
    }
    if (unsigned > 0xff000000u) {
        total.maximum = bitcast<f32>((unsigned >> 1u) & 0x7f800000u);
    }

    let maximum = reduce_max(thread, total.maximum);
    let column = reduce_min_u32(thread, select(NOWHERE, total.column, total.maximum == maximum));
    // The other lanes' maxima are among the others; a lane without a column has none.
    let own = select(1.0, 0.0, total.column == column || total.column == NOWHERE);
    let others = reduce_add(thread, (total.others + own) * exp_nonpositive(total.maximum - maximum));
    return Softmax(maximum, column, others);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * params.span;
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
        let softmax = row_softmax(thread, row.base, columns);
        var item_loss = 0.0;
        if (row.counts) {
            row.target_index = row.base + u32(label);
            row.target_logit = load_logits(row.target_index);
            row.maximum = softmax.maximum;
            row.log_norm = log1pf(softmax.others);
            row.inverse_norm = 1.0 / (1.0 + softmax.others);
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
        workspace.partials[params.first_partial + workgroup.x] = Partial(loss + block_loss, items, invalid, first_invalid);
    }
}

// The gradient of one logit; 0 where the row does not count, whatever its logits.
fn gradient_of(row: Row, index: u32) -> f32 {
    let others = logit_gradient(row, load_logits(index));
    let gradient = select(others, row.target_gradient, index == row.target_index);
    return select(0.0, row.scale * gradient, row.counts);
}

// The number of rows that count, or with `params.weighted` the sum of their weights: what `mean` and `weighted_mean`
// divide by.
@compute @workgroup_size(WORKGROUP_SIZE)
fn measure(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * params.span;
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
        workspace.partials[params.first_partial + workgroup.x] = Partial(total, 0u, 0u, NOWHERE);
    }
}
