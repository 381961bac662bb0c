// The walks of walk.wgsl by quads, four columns in one load. Quads begin at a multiple of four in memory, rows may
// not: the columns before and behind whole quads, three at most, are walked over one by one.

// The first and the end of the columns that make whole quads.
fn whole_quads(row: Row, first: u32, end: u32) -> vec2<u32> {
    if (ALIGNED) {
        return vec2<u32>(first, end);
    }
    let start = min(first + (0u - row.base - first) % 4u, end);
    return vec2<u32>(start, end - (end - start) % 4u);
}

// Four cells.
struct Quad {
    column: u32,
    logits: vec4<f32>,
    seconds: vec4<f32>,
}

// Four upstream values of a row with one for each class, or one for all.
fn load_upstream_quad(quad: u32) -> vec4<f32> {
    if (call.upstream_stride == 0u) {
        return vec4<f32>(load_upstream(0u));
    }
    return load_upstreams(quad);
}

fn load_quad(row: Row, column: u32, logits: vec4<f32>) -> Quad {
    var quad = Quad(column, logits, vec4<f32>());
    if (PER_CLASS) {
        quad.seconds = load_upstream_quad((row.value_base + column) / 4u);
    } else {
        quad.seconds = load_second_quad((row.second_base + column) / 4u);
    }
    return quad;
}

// The quad with its logits as the first walk kept them.
fn kept_quad(row: Row, column: u32) -> Quad {
    return load_quad(row, column, kept_logits(row, column));
}

fn cell_in(row: Row, quad: Quad, i: u32) -> Cell {
    return cell_of(row, quad.column + i, quad.logits[i], quad.seconds[i]);
}

fn read_quad(row: Row, column: u32) -> Quad {
    let logits = load_first_quad((row.base + column) / 4u);
    keep_logits(column, logits);
    return load_quad(row, column, logits);
}

// The largest bits without their sign.
fn unsigned_bits(logits: vec4<f32>) -> u32 {
    let bits = bitcast<vec4<u32>>(logits) << vec4<u32>(1u);
    return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

fn state_of_quad(row: Row, quad: Quad) -> State {
    if (SOFTMAX && !SECOND_SOFTMAX && !SUMS && !GAPS && !OFFSETS && !CHECKS_CLASSES) {
        return state_of_softmax(softmax_of_quad(quad.column, present_logits(row, quad.column, quad.logits)));
    }
    let low = merge(state_of(row, cell_in(row, quad, 0u)), state_of(row, cell_in(row, quad, 1u)));
    return merge(low, merge(state_of(row, cell_in(row, quad, 2u)), state_of(row, cell_in(row, quad, 3u))));
}

// The same for a softmax alone, with fewer steps: the largest of four, and the powers of the three others.
fn softmax_of_quad(column: u32, logits: vec4<f32>) -> Softmax {
    let x = max(logits, vec4<f32>(LOWEST));
    let larger = max(x.xz, x.yw);
    let smaller = min(x.xz, x.yw);
    let maximum = max(larger.x, larger.y);
    let is = x == vec4<f32>(maximum);
    let place = select(select(select(3u, 2u, is.z), 1u, is.y), 0u, is.x);
    let others = exp_nonpositive(-distance_of(min(larger.x, larger.y), maximum))
        + (exp_nonpositive(-distance_of(smaller.x, maximum)) + exp_nonpositive(-distance_of(smaller.y, maximum)));
    return Softmax(maximum, column + place, others);
}

// The state of a lane's columns, of a few, joined to `before`.
fn walk_few(before: State, row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> State {
    var total = before;
    for (var column = first + lane; column < end; column += lanes) {
        let logit = load_first(row.base + column);
        keep_logit(column, logit);
        total = join(total, with_nan(state_of(row, load_cell(row, column, logit)), bitcast<u32>(logit) << 1u));
    }
    return total;
}

fn walk(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> State {
    let step = 4u * lanes;
    let whole = whole_quads(row, first, end);
    var total = no_state();
    if (!ALIGNED) {
        total = walk_few(total, row, first, whole.x, lane, lanes);
    }
    var unsigned = 0u;
    for (var block_start = whole.x + 4u * lane; block_start < whole.y; block_start += BLOCK * lanes) {
        let block_end = min(block_start + BLOCK * lanes, whole.y);
        let quad = read_quad(row, block_start);
        unsigned = max(unsigned, unsigned_bits(quad.logits));
        var block = state_of_quad(row, quad);
        for (var column = block_start + step; column < block_end; column += step) {
            let quad = read_quad(row, column);
            unsigned = max(unsigned, unsigned_bits(quad.logits));
            block = merge(block, state_of_quad(row, quad));
        }
        total = join(total, block);
    }
    total = with_nan(total, unsigned);
    if (!ALIGNED) {
        total = walk_few(total, row, whole.y, end, lane, lanes);
    }
    return total;
}

fn walk_few_middle(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> vec4<f32> {
    var total = vec4<f32>();
    for (var column = first + lane; column < end; column += lanes) {
        total += middle_sums(row, load_cell(row, column, kept_logit(row, column)));
    }
    return total;
}

fn walk_middle(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> vec4<f32> {
    let step = 4u * lanes;
    let whole = whole_quads(row, first, end);
    var sums = MiddleSums();
    if (!ALIGNED) {
        sums.total = walk_few_middle(row, first, whole.x, lane, lanes)
            + walk_few_middle(row, whole.y, end, lane, lanes);
    }
    for (var block_start = whole.x + 4u * lane; block_start < whole.y; block_start += BLOCK * lanes) {
        let block_end = min(block_start + BLOCK * lanes, whole.y);
        var block = vec4<f32>();
        for (var column = block_start; column < block_end; column += step) {
            let quad = kept_quad(row, column);
            block += (middle_sums(row, cell_in(row, quad, 0u)) + middle_sums(row, cell_in(row, quad, 1u)))
                + (middle_sums(row, cell_in(row, quad, 2u)) + middle_sums(row, cell_in(row, quad, 3u)));
        }
        sums = with_block(sums, block);
    }
    return sums.total + sums.recent;
}
