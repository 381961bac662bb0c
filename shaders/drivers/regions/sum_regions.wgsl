// Losses of regions, the first step: the sums of each class over a part of the pixels, a workgroup a part.
//
// Joined to regions.wgsl and pixels.wgsl.

// The sums of a block of pixels, with those of the pixels' term: its losses, and what their mean divides by. And those
// of the blocks before.
var<private> sums: Regions;
var<private> term: vec2<f32>;
var<private> earlier_sums: Regions;
var<private> earlier_term: vec2<f32>;
// Whether a lane's pixels are one block: of several strips all blocks end in memory.
const ONE_BLOCK: bool = STRIPS || FEW_REGISTERS;
// Of several strips: the softmaxes of a lane's next pixels.
var<private> softmaxes: array<Kept, KEPT_SOFTMAXES>;
// Elements out of range, and the first pixel of one.
var<private> invalid: u32;
var<private> first_invalid: u32;

// A softmax, in as few words as it takes: one that is NaN has no column.
struct Kept {
    maximum: f32,
    column: u32,
    others: f32,
}

fn kept_of(softmax: Softmax) -> Kept {
    let column = select(softmax.column, NOWHERE, is_spoilt(softmax));
    return Kept(softmax.maximum, column, softmax.others);
}

// What a class of a pixel adds to the sums of its region.
fn share_of(p: f32, q: f32, t: f32) -> Region {
    if (COMPILED_SQUARED != 0u) {
        let root = square_root_of_unit();
        let gap = root * (p * (1.0 - t) - t * q);
        return Region(vec2<f32>(gap * gap, gap * (root * (p + t))), (root * p) * (root * t));
    }
    return Region(vec2<f32>(p * (1.0 - t), t * q), p * t);
}

// Whether a class of the strip, known already, counts for an element out of range.
fn is_invalid(pixel: Pixel, first: u32, c: u32) -> bool {
    let is_checked = CHECKS_PREDICTION || CHECKS_WEIGHT || !INDEX_TARGET;
    return is_checked && is_there(first + c) && pixel.counts != 0u && !counted[c];
}

// Adds a pixel, the `turn`th of a block, to the sums of the block.
fn add_pixel(at: Cursor, turn: u32, first: u32) {
    let pixel = begin_pixel(at);
    load_values(pixel, first);
    var softmax = no_softmax();
    if (SOFTMAX && STRIPS) {
        let kept = softmaxes[turn];
        softmax = Softmax(kept.maximum, kept.column, kept.others, 0u);
    } else if (SOFTMAX) {
        softmax = join_softmax(softmax, 0u);
    }
    let inverse = inverse_norm(softmax);
    know_classes(pixel, softmax, inverse, first);
    var found = 0u;
    for (var c = 0u; c < STRIP; c++) {
        know_class(pixel, softmax, inverse, first, c);
        found += invalid_in_turn(pixel, first, c);
        let region = share_of(p[c], q[c], targets[c]);
        sums[c].misses += select(vec2<f32>(), region.misses, counted[c]);
        sums[c].overlap += select(0.0, region.overlap, counted[c]);
    }
    found += invalid_at_once(pixel, first);
    if (INDEX_TARGET && first == 0u && !is_class(pixel.label)) {
        found = select(1u, 0u, is_passed_over(at.index, pixel.label));
    }
    invalid += found;
    first_invalid = min(first_invalid, select(NOWHERE, at.index, found > 0u));
    if (PIXEL_TERM && ELEMENTWISE_TERM) {
        term.y += select(0.0, f32(pixel.counts * call.classes), first == 0u);
        for (var c = 0u; c < STRIP; c++) {
            know_class(pixel, softmax, inverse, first, c);
            term.x += term_of_element(c).x;
        }
    } else if (PIXEL_TERM) {
        add_term_of_softmax(pixel, softmax, inverse, first);
    }
}

// Adds the term of a pixel's softmax.
fn add_term_of_softmax(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32) {
    if (INDEX_TARGET && first == 0u) {
        var mass = f32(pixel.counts);
        if (MASS_OF_WEIGHTS && pixel.counts != 0u) {
            mass = weight_of(u32(pixel.label));
        }
        term += vec2<f32>(term_of_label(pixel, softmax).x, mass);
    }
    if (!INDEX_TARGET) {
        term.y += select(0.0, f32(pixel.counts), first == 0u);
        for (var c = 0u; c < STRIP; c++) {
            know_class(pixel, softmax, inverse, first, c);
            term.x += term_of_class(softmax, c).x;
        }
    }
    // A weight of 0 does not hide it.
    let spoils = is_spoilt(softmax) && pixel.counts != 0u;
    term.x = select(term.x, inverse, spoils);
}

// A lane's sums over its pixels from `start` on. `BLOCK` at a time, so that rounding does not grow with their number.
fn sum_strip(start: Cursor, end: u32, stride: Stride, first: u32) {
    if (!ONE_BLOCK) {
        earlier_sums = Regions();
        earlier_term = vec2<f32>();
    }
    var at = start;
    loop {
        let block_end = select(min(at.index + BLOCK * WORKGROUP_SIZE, end), end, ONE_BLOCK);
        sums = Regions();
        term = vec2<f32>();
        for (var turn = 0u; at.index < block_end; turn++) {
            add_pixel(at, turn, first);
            at = next(at, WORKGROUP_SIZE, stride);
        }
        if (!ONE_BLOCK) {
            for (var c = 0u; c < STRIP; c++) {
                sums[c] = plus(earlier_sums[c], sums[c]);
            }
            term += earlier_term;
            earlier_sums = sums;
            earlier_term = term;
        }
        if (ONE_BLOCK || at.index >= end) {
            break;
        }
    }
}

// Computes the softmaxes of a block of a lane's pixels.
fn keep_softmaxes(start: Cursor, end: u32, stride: Stride) {
    var at = start;
    for (var turn = 0u; at.index < end; turn++) {
        softmaxes[turn] = kept_of(softmax_of(begin_pixel(at)));
        at = next(at, WORKGROUP_SIZE, stride);
    }
}

// All lanes' sums: in place of the part's, or with them.
fn store_region(thread: Thread, record: u32, own: Region, adds: bool) {
    let x = reduce_add(thread, own.misses.x);
    let y = reduce_add(thread, own.misses.y);
    var region = Region(vec2<f32>(x, y), reduce_add(thread, own.overlap));
    if (thread.lane == 0u) {
        if (adds) {
            region = plus(region, records[record]);
        }
        records[record] = region;
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_regions(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    let record = records_of(part.index);
    let stride = stride_of(WORKGROUP_SIZE);
    invalid = 0u;
    first_invalid = NOWHERE;
    // With several strips a block of pixels at a time, whose softmaxes are kept.
    let step = select(call.span, select(BLOCK, KEPT_SOFTMAXES, SOFTMAX) * WORKGROUP_SIZE, STRIPS);
    var at = cursor_at(part.first + thread.lane);
    for (var start = part.first; start < part.end; start += step) {
        let end = min(start + step, part.end);
        if (STRIPS && SOFTMAX) {
            keep_softmaxes(at, end, stride);
        }
        for (var first = 0u; first < end_of_strips(); first += STRIP) {
            load_weights(first);
            sum_strip(at, end, stride, first);
            for (var c = 0u; c < STRIP; c++) {
                if (is_there(first + c)) {
                    store_region(thread, record + first + c, sums[c], start != part.first);
                }
            }
            if (PIXEL_TERM) {
                let adds = start != part.first || first != 0u;
                store_region(thread, record + call.classes, Region(term, 0.0), adds);
            }
        }
        if (STRIPS) {
            at = cursor_at(end + thread.lane);
        }
    }
    let all_invalid = reduce_add_u32(thread, invalid);
    let very_first = reduce_min_u32(thread, first_invalid);
    if (thread.lane == 0u) {
        workspace.partials[part.index] = Partial(0.0, 0u, all_invalid, very_first, 0u);
    }
}
