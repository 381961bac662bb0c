// What the kernels of regions share: the sums of a region, and the losses that are ratios of them.
//
// The header gives params, records and load_class_weight (by class), the hooks region_loss and, by choice, a pixels' term
// (lib/hooks).

// The sums over a region of p·t, its overlap, and of what misses it: p·(1 − t), the false positives, and t·(1 − p), the
// false negatives; with squares (p − t)² and p² − t². Or a score's derivatives by these.
struct Region {
    misses: vec2<f32>,
    overlap: f32,
}

// What is lost with a score, and its derivatives.
struct Outcome {
    loss: f32,
    slopes: Region,
}

fn plus(a: Region, b: Region) -> Region {
    return Region(a.misses + b.misses, a.overlap + b.overlap);
}

fn scaled(region: Region, factor: f32) -> Region {
    return Region(factor * region.misses, factor * region.overlap);
}

// What a class weighs: nothing, if its weight is out of range. Told by bits: of a comparison some compilers make a maximum,
// which loses NaN.
fn weight_of(column: u32) -> f32 {
    let weight = load_class_weight(column);
    let bits = bitcast<u32>(weight);
    return select(weight, 0.0, bits > 0x80000000u && bits <= 0xff800000u);
}

// M / (k·overlap + M + smooth) with M = α·(false positives) + β·(false negatives): 1 less a ratio of overlap, which would
// cancel. A region that is empty on both sides, 0/0, loses nothing.
fn ratio_loss(region: Region, k: f32, alpha: f32, beta: f32) -> Outcome {
    var weights = vec2<f32>(alpha, beta);
    if (COMPILED_SQUARED != 0u) {
        // P − I is ½·(Σ(p − t)² + Σ(p² − t²)), and T − I the same with their difference.
        weights = 0.5 * vec2<f32>(alpha + beta, alpha - beta);
    }
    let missed = dot(weights, region.misses);
    let kept = k * region.overlap + params.smooth_;
    let whole = kept + missed;
    if (whole == 0.0) {
        return Outcome();
    }
    let by_missed = (kept / whole) / whole;
    return Outcome(missed / whole, Region(by_missed * weights, -k * (missed / whole) / whole));
}

// Records of a part, or of a segment's slopes: one a class, and one of the pixels' term.
fn records_of(part: u32) -> u32 {
    return part * (params.classes + u32(PIXEL_TERM));
}

fn slopes_of(segment: u32) -> u32 {
    return params.first_slopes + records_of(segment);
}
