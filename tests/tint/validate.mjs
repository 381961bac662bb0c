// Compiles every WGSL file of a directory with Tint, the compiler of Chromium, and builds its compute pipelines.
// Tint refuses what naga lets pass, such as a barrier in control flow that is not provably uniform. Needs no GPU.
//
//   node validate.mjs DIRECTORY

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

const SUBGROUPS = /\b(subgroup\w+|quad(Broadcast|Swap\w)|num_subgroups)\b/;
// Only native CPU adapters get these kernels; there branches that depend on a reduction are uniform.
const IN_STEP = '// Reductions over a workgroup that is one subgroup';
const STORAGE_BUFFER = /\bvar<storage\b/g;
const ENTRY_POINT = /@compute\b[^{}]*?\bfn\s+(\w+)/g;

Object.assign(globalThis, globals);

// The errors of one shader, as `{ line, message }`.
async function validate(device, code) {
  // Our shaders leave the directive out, because naga does not parse it. It shares the first line: the others keep
  // their numbers.
  const enable = SUBGROUPS.test(code) ? 'enable subgroups; ' : '';
  const source = enable + (code.includes(IN_STEP) ? 'diagnostic(off, subgroup_uniformity); ' : '') + code;

  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: source });
  const { messages } = await module.getCompilationInfo();
  await device.popErrorScope();
  const errors = messages.filter(({ type }) => type === 'error');
  if (errors.length > 0) return errors.map(({ lineNum, message }) => ({ line: lineNum, message }));

  // A shader that needs more than the defaults grant runs on adapters that offer more; here it is compiled alone.
  const buffers = [...code.matchAll(STORAGE_BUFFER)].length;
  if (buffers > device.limits.maxStorageBuffersPerShaderStage) return [];

  for (const { 1: entryPoint, index } of code.matchAll(ENTRY_POINT)) {
    device.pushErrorScope('validation');
    device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint } });
    const error = await device.popErrorScope();
    if (!error) continue;
    // Only the first line of the message is about the shader.
    errors.push({ line: code.slice(0, index).split('\n').length, message: error.message.split('\n', 1)[0] });
  }
  return errors;
}

const directory = process.argv[2];
const files = readdirSync(directory).filter((name) => name.endsWith('.wgsl')).sort();

// Global, because the device does not keep its instance: once that is garbage collected, calls crash.
globalThis.gpu = create(['backend=null']);
const adapter = await gpu.requestAdapter();
// Limits stay WebGPU's defaults, those that every browser grants: 256 invocations a workgroup, 8 storage buffers a stage.
const requiredFeatures = ['subgroups', 'shader-f16'].filter((feature) => adapter.features.has(feature));
const device = await adapter.requestDevice({ requiredFeatures });

let invalid = 0;
for (const file of files) {
  const errors = await validate(device, readFileSync(join(directory, file), 'utf8'));
  for (const { line, message } of errors) console.log(`${file}:${line}: ${message}`);
  if (errors.length > 0) invalid += 1;
}
if (invalid === 0) console.log(`${files.length} shaders valid`);
// An explicit exit, because the teardown of the null backend can crash.
process.exit(invalid === 0 ? 0 : 1);
