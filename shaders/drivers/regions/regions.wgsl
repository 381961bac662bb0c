// What the kernels of regions share: the sums of a region, and where they are kept.
//
// The hooks give, by choice, a term for each pixel (hooks/).

// The sums over a region of p·t, its overlap, and of what misses it: p·(1 − t), the false positives, and t·(1 − p), the
// false negatives; with squares (p − t)² and p² − t². Or a score's derivatives by these.
struct Region {
    misses: vec2<f32>,
    overlap: f32,
}

// What a probability is multiplied with before it is squared. Where there is no `smooth`, a score may be made of
// squares that f32 has no numbers for; the sums are larger by the factor's square.
fn square_root_of_unit() -> f32 {
    return select(1.0, 4294967296.0, COMPILED_SQUARED != 0u && params.smooth_ == 0.0);
}

fn plus(a: Region, b: Region) -> Region {
    return Region(a.misses + b.misses, a.overlap + b.overlap);
}

fn scaled(region: Region, factor: f32) -> Region {
    return Region(factor * region.misses, factor * region.overlap);
}

// What a class weighs: nothing, if its weight is out of range. Told by bits: of a comparison some compilers make a
// maximum, which loses NaN.
fn weight_of(column: u32) -> f32 {
    let weight = load_class_weight(column);
    let bits = bitcast<u32>(weight);
    return select(weight, 0.0, bits > 0x80000000u && bits <= 0xff800000u);
}

// Records of a part, or of a segment's slopes: one a class, and one of the pixels' term.
fn records_of(part: u32) -> u32 {
    return part * (call.classes + u32(PIXEL_TERM));
}

fn slopes_of(segment: u32) -> u32 {
    return call.first_slopes + records_of(segment);
}
