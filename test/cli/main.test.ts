/** Help, wrong usage, exit codes, and the commands that do not train: check, build, explain, fmt. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cliProse } from '../../cli/problems.ts';
import { codes, explanationOf } from '../../cli/explanations.ts';
import { folder, nnc, program } from './support.ts';

describe('help', () => {
  it('of nnc', async () => {
    const { code, out } = await nnc(folder(), ['--help'], { columns: 100 });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "Usage: nnc [options] [command]

      A compiler for neural networks: .nn files in, checked and trained networks and TypeScript out.

      Options:
        -V, --version                     print the version
        -h, --help                        print this help

      Commands:
        check [options] <file...>         report every mistake in programs
        build [options] <file>            compile models and train blocks to modules
        train [options] <file>            train a network
        run [options] <file>              compute a model's results for data
        study [options] <file>            train many times on resampled rows: errors, bias and variance
        compare [options] <model...>      how alike trained models represent the same data
        tokens [options] <text...>        text as rows of numbers, with their tokenizer
        sample [options] <file>           let a language model write
        translate [options] <file>        let an encoder-decoder translate, and score it
        explain [options] <code-or-file>  what a code means, or what became of a program
        tune [options] <file>             measure schedules of WebAssembly on this machine
        profile [options] <file>          show what a program costs, by line and by kernel
        fmt [options] <file...>           write programs in canonical form
        lsp [options]                     language server over standard input and output
        help [command]                    print the help of a command

      Exit codes: 0 good, 1 reports with errors, 2 wrong usage, 130 interrupted.

        nnc check network.nn                    find mistakes
        nnc train examples/digits.nn            train on the data beside the program
        nnc build network.nn --bound B=64       TypeScript and JavaScript to import
        nnc explain NN523                       what a report means
      "
    `);
    expect(await nnc(folder(), ['help'])).toMatchObject({ code: 0, out });
    expect(await nnc(folder(), [])).toMatchObject({ code: 0, out });
  });

  it('of train', async () => {
    const { code, out } = await nnc(folder(), ['train', '--help']);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "Usage: nnc train [options] <file>

      Train a network.

      Options:
        --only <name>               the train block, where there are several
        --data <[input=]path...>    data to train on; columns meet inputs by name
        --test <[input=]path...>    data to test the trained network on
        --epochs <n>                in place of the source's
        --batch <n>                 rows of a step, in place of the source's
        --seed <n>                  of initial weights, order of rows and draws (default: 0)
        --memory <bytes>            at most 512MB, 2GiB …, or least: values are computed again in place of
                                    kept, for more time
        --const <name=number...>    values in place of the source's consts: width=128
        --target <target>           JavaScript, WebAssembly, WebGPU (npm install webgpu), or auto: the
                                    first there is (choices: "ts", "wasm", "wgsl", "auto", default: "ts")
        --threads <n>               of the wasm target: a number, or auto for all cores; results are the
                                    same bits (default: "auto")
        --read-every <n>            of a GPU: the loss is read back every n steps only, and its figures
                                    with it (default: 1)
        --gpu-matrices              wgsl: products of \`precision f16\` on matrix units, too, for devices
                                    that have them
        -o, --out <folder>          where to write (default: nnc-out/NAME)
        --from <[network=]file...>  weights to begin with; what they lack begins as the program says
        --map <name>                the checkpoint map by which to read another's file in --from
        --checkpoint <name>         a checkpoint map by which to write the weights, too
        --allow-nonfinite           go on with NaN and infinity in the data
        --resume                    go on from the checkpoint in the folder, bit for bit as if never
                                    stopped
        -q, --quiet                 no progress, only problems and final figures
        --width <columns>           width of reports
        --no-color                  plain text
        --debug                     show where a bug of nnc happened
        -h, --help                  print this help

      Data: CSV, TSV, NPY, NPZ, IDX, JSON lines, safetensors, also as .gz. An input takes the column of its name; image.0 … image.63
      are one column image. input=path maps a file to an input, input=path/255 divides its values. Without --data, for digits.nn:
        data/digits-train.* (else data/digits.*)   beside the program, to train on
        data/digits-test.*                         to test on

      Writes weights.safetensors (of the best epoch, where the program validates), report.html, run.json and, after every epoch,
      checkpoint.safetensors. Ctrl-C finishes the step, saves and exits with 130; --resume goes on. Figures of an epoch are means
      over its batches, weighted by rows; with two numbers, the second is the validation's.
      "
    `);
  });

  it('of build', async () => {
    expect((await nnc(folder(), ['build', '-h'])).out).toMatchInlineSnapshot(`
      "Usage: nnc build [options] <file>

      Compile models and train blocks to modules.

      Options:
        --only <name>             only this model or train block
        -o, --out <folder>        where to write (default: nnc-out)
        --target <target>         readable code, WebAssembly, WebGPU, or auto: the first of them that
                                  computes (choices: "ts", "wasm", "wgsl", "auto", default: "ts")
        --gpu-binding <bytes>     greatest binding on the GPUs that wgsl is for (default: 134217728)
        --gpu-cores <count>       cores (streaming multiprocessors, compute units) of the GPUs that wgsl
                                  is for: into how many parts long sums are cut (default: 128)
        --gpu-matrices            wgsl: products of \`precision f16\` on matrix units, too, for devices that
                                  have them
        --no-pack                 wasm: larger modules that start some milliseconds earlier
        --emit <kinds>            ts, js or ts,js (default: ts,js)
        --bound <size=number...>  greatest values of sizes known at run time: B=64 T=1024
        --memory <bytes>          at most 512MB, 2GiB …, or least: values are computed again in place of
                                  kept, for more time
        --const <name=number...>  values in place of the source's consts: width=128
        --weights <rule...>       store parameters of a model smaller: int8, int4:32, f16,
                                  "h.*.attn.**=int8"
        --print <view>            print instead of writing (choices: "graph", "kernels", "plan", "typed")
        --width <columns>         width of reports
        --no-color                plain text
        --debug                   show where a bug of nnc happened
        -h, --help                print this help

      Writes NAME.ts, NAME.js with NAME.d.ts and NAME.js.map, and NAME.plan.json for every block. The modules import nothing.
      The wasm and auto targets have no NAME.ts; only ts makes source maps.
      Memory is taken once, for the greatest sizes: a size that the source does not limit needs a --bound.
      "
    `);
  });

  it('of run', async () => {
    expect((await nnc(folder(), ['run', '-h'])).out).toMatchInlineSnapshot(`
      "Usage: nnc run [options] <file>

      Compute a model's results for data.

      Options:
        --only <name>             the model, where there are several
        --weights <path>          weights.safetensors from training
        --checkpoint <name>       the checkpoint map by which to read another's file
        --size <size=number...>   of the model's parameters that are sizes: N=20
        --data <[input=]path...>  columns meet inputs by name
        --store <rule...>         store the weights smaller: int8, int4:32, f16, "h.*.attn.**=int8"
        --compare <rule...>       show what is lost by that, or by \`source\`, its storage declaration:
                                  differences, and the metrics
        -o, --out <file>          results as .npy, .csv, .jsonl or .safetensors (default: CSV to the
                                  terminal)
        --batch <n>               rows computed together (default: 256)
        --const <name=number...>  values in place of the source's consts: width=128
        --target <target>         JavaScript, WebAssembly, WebGPU (npm install webgpu), or auto: the first
                                  there is (choices: "ts", "wasm", "wgsl", "auto", default: "ts")
        --threads <n>             of the wasm target: a number, or auto for all cores; results are the
                                  same bits (default: "auto")
        --width <columns>         width of reports
        --no-color                plain text
        --debug                   show where a bug of nnc happened
        -h, --help                print this help
      "
    `);
  });

  it.each(['check', 'explain', 'fmt'])('of %s', async (name) => {
    const { code, out, err } = await nnc(folder(), [name, '--help']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`^Usage: nnc ${name} `));
  });

  it('gives the version of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await nnc(folder(), ['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });
});

describe('wrong usage gives 2 and a line with a code', () => {
  it.each([
    [['trian', 'x.nn'], "unknown command 'trian'"],
    [['train'], "missing required argument 'file'"],
    [['train', 'x.nn', '--epoch', '3'], "unknown option '--epoch'"],
    [['train', 'x.nn', '--epochs', '0'], 'must be a whole number from 1'],
    [['train', 'x.nn', '--seed', '-1'], 'must be a whole number from 0 to 4294967295'],
    [['train', 'x.nn', '--const', 'width'], 'Write name=number'],
    [['build', 'x.nn', '--emit', 'py'], 'must be ts, js or ts,js'],
    [['build', 'x.nn', '--print', 'all'], 'graph, kernels, plan, typed'],
    [['check', 'x.nn', '--format', 'xml'], 'text, json'],
    [['run', 'x.nn', '--data', 'd.csv'], "required option '--weights <path>' not specified"],
    [['explain', 'x.nn'], 'say what to explain of x.nn'],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await nnc(folder(), argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^error\[NN900\]: /);
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
  });
});

describe('an exception that nobody expected', () => {
  const broken = () => nnc(folder({ 'net.nn': program }), ['check', 'net.nn'], { onWrite: fail });
  const debug = () => nnc(folder({ 'net.nn': program }), ['check', 'net.nn', '--debug'], { onWrite: fail });
  const fail = (text: string) => {
    if (text.includes('checked')) throw new TypeError('the stream is odd');
  };

  it('says that it is a bug of nnc, with the stack only under --debug', async () => {
    const { code, err } = await broken();
    expect(code).toBe(1);
    expect(err).toContain('error[NN999]: this is a bug of nnc: the stream is odd');
    expect(err).not.toContain('    at ');
    expect((await debug()).err).toContain('    at ');
  });
});

describe('check', () => {
  const wrong = program.replace('out: Linear(3)', 'out: Linear(4)');

  it('finds nothing in good programs', async () => {
    const cwd = folder({ 'a.nn': program, 'b.nn': program });
    expect(await nnc(cwd, ['check', 'a.nn', 'b.nn'])).toEqual({
      code: 0,
      out: '2 files checked: no problems\n',
      err: '',
    });
  });

  it('reports all files, also when one is missing', async () => {
    const cwd = folder({ 'a.nn': program, 'b.nn': wrong });
    const { code, out } = await nnc(cwd, ['check', 'gone.nn', 'b.nn', 'a.nn']);
    expect(code).toBe(1);
    expect(out).toContain('error[NN920]: cannot read gone.nn: there is no such file');
    expect(out).toContain('b.nn:2:');
    expect(out).toMatch(/3 files checked: \d+ errors\n$/);
  });

  it('writes JSON lines', async () => {
    const cwd = folder({ 'b.nn': wrong });
    const { code, out } = await nnc(cwd, ['check', 'b.nn', 'gone.nn', '--format', 'json']);
    expect(code).toBe(1);
    const reports = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(reports[0]).toMatchObject({ severity: 'error', place: { file: 'b.nn', line: 2 } });
    expect(reports.at(-1)).toMatchObject({ code: 'NN920', place: null });
  });

  it('follows imports, which are relative to the file', async () => {
    const cwd = folder({
      'a.nn': `import Net from "./b.nn"\n${program.slice(program.indexOf('train'))}`,
      'b.nn': program,
    });
    expect((await nnc(cwd, ['check', 'a.nn'])).out).toBe('1 file checked: no problems\n');
    expect((await nnc(cwd, ['check', join(cwd, 'a.nn')])).code).toBe(0);
    writeFileSync(join(cwd, 'b.nn'), wrong);
    const both = await nnc(cwd, ['check', 'a.nn', 'b.nn']);
    expect(both.out.match(/--> .*b\.nn:2:/g)).toHaveLength(1);
  });

  it('draws as wide and as coloured as it is told', async () => {
    const cwd = folder({ 'b.nn': wrong });
    expect((await nnc(cwd, ['check', 'b.nn'], { tty: true })).out).toContain('\x1b[');
    expect((await nnc(cwd, ['check', 'b.nn', '--no-color'], { tty: true })).out).not.toContain('\x1b[');
    const narrow = await nnc(cwd, ['check', 'b.nn', '--width', '60']);
    expect(Math.max(...narrow.out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
  });
});

describe('build', () => {
  it('writes modules that run', async () => {
    const cwd = folder({ 'net.nn': program });
    const { code, out } = await nnc(cwd, ['build', 'net.nn', '--out', 'o']);
    expect(code).toBe(0);
    expect(out).toMatch(/^model Net: 131 parameters; [\d.]+ kB of memory .*; B <= 16$/m);
    const kinds = ['d.ts', 'js', 'js.map', 'plan.json', 'ts'];
    expect(readdirSync(join(cwd, 'o')).sort()).toEqual(
      ['Fit', 'Net'].flatMap((name) => kinds.map((kind) => `${name}.${kind}`)),
    );
    const text = readFileSync(join(cwd, 'o/Net.js'), 'utf8');
    const module = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text)}`)) as {
      Net: { create: () => { forward: (inputs: object) => Record<string, { shape: number[] }> } };
    };
    expect(module.Net.create().forward({ x: new Float32Array(8) })['output']!.shape).toEqual([2, 3]);
    expect(text.trimEnd().endsWith('//# sourceMappingURL=Net.js.map')).toBe(true);
    expect(() => JSON.parse(readFileSync(join(cwd, 'o/Net.js.map'), 'utf8')) as unknown).not.toThrow();
  });

  it('takes bounds, consts and one block', async () => {
    const cwd = folder({ 'net.nn': program });
    const { out } = await nnc(cwd, ['build', 'net.nn', '--only', 'Net', '--bound', 'B=3', '--emit', 'js']);
    expect(out).toContain('B <= 3');
    expect(readdirSync(join(cwd, 'nnc-out')).sort()).toEqual(['Net.d.ts', 'Net.js', 'Net.js.map', 'Net.plan.json']);
  });

  it('refuses consts and sizes that the file does not have', async () => {
    const cwd = folder({ 'net.nn': `const width = 16\n${program.replace('Linear(16)', 'Linear(width)')}` });
    const wide = await nnc(cwd, ['build', 'net.nn', '--const', 'width=32']);
    expect(wide.out).toContain('model Net: 259 parameters');
    const { code, err } = await nnc(cwd, ['build', 'net.nn', '--const', 'widht=32']);
    expect([code, err]).toEqual([1, expect.stringContaining('there is no const widht in net.nn') as string]);
    expect(err).toContain('width');
    expect((await nnc(cwd, ['build', 'net.nn', '--bound', 'T=3'])).err).toContain('there is no size T in net.nn');
  });

  it('needs a bound where the source gives none', async () => {
    const cwd = folder({ 'model.nn': program.slice(0, program.indexOf('train')) });
    const { code, err } = await nnc(cwd, ['build', 'model.nn']);
    expect([code, err]).toEqual([1, expect.stringContaining('error[NN520]') as string]);
    expect(existsSync(join(cwd, 'nnc-out'))).toBe(false);
    expect((await nnc(cwd, ['build', 'model.nn', '--bound', 'B=2'])).code).toBe(0);
  });

  it.each(['graph', 'kernels', 'plan', 'typed'])('prints %s', async (view) => {
    const cwd = folder({ 'net.nn': program });
    const { code, out } = await nnc(cwd, ['build', 'net.nn', '--only', 'Net', '--print', view]);
    expect(code).toBe(0);
    expect(out.length).toBeGreaterThan(10);
    expect(existsSync(join(cwd, 'nnc-out'))).toBe(false);
  });
});

describe('explain', () => {
  it('explains every code there is, each once', () => {
    const all = codes();
    expect(new Set(all).size).toBe(all.length);
    for (const code of all) expect(explanationOf(code)).toMatch(new RegExp(`^${code}: .+\n\n.+`));
    expect(Object.keys(cliProse)).toContain('NN999');
  });

  it('a code, however it is written', async () => {
    const { code, out } = await nnc(folder(), ['explain', 'NN925']);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "NN925: a checkpoint that cannot be gone on from

      \`--resume\` goes on exactly where training stopped, so the program, the data, the seed and the batch must be those of the first run; only
      \`--epochs\` may change. Without \`--resume\` training begins anew.

      \`net.nn\`:

      \`\`\`nn
      model Net(x: float[B, 2]) -> float[B, 3] { return x |> out: Linear(3) }

      train Fit {
        input x: float[B, 2]
        input label: i32[B] < 3

        minimize cross_entropy(Net(x), label)
        optimizer SGD(lr: 0.1)
        batch B = 2
        epochs 2
      }
      \`\`\`

      \`train.csv\`:

      \`\`\`csv
      x.0,x.1,label
      0,1,0
      1,0,1
      1,1,2
      0,0,0
      \`\`\`

      **Wrong**

      \`\`\`sh
      nnc train net.nn --data train.csv
      nnc train net.nn --data train.csv --resume --seed 7 --epochs 4
      \`\`\`

      **Mended**

      \`\`\`sh
      nnc train net.nn --data train.csv
      nnc train net.nn --data train.csv --resume --epochs 4
      \`\`\`
      "
    `);
    expect((await nnc(folder(), ['explain', 'nn925'])).out).toBe(out);
    expect((await nnc(folder(), ['explain', '925'])).out).toBe(out);
  });

  it('suggests the nearest', async () => {
    const { code, err } = await nnc(folder(), ['explain', 'NN952']);
    expect(code).toBe(1);
    expect(err).toContain('there is no code NN952');
    expect(err).toContain('NN925');
  });

  it.each(['fusion', 'schedule', 'plan', 'graph'])('--%s of a file', async (view) => {
    const { code, out } = await nnc(folder({ 'net.nn': program }), ['explain', 'net.nn', `--${view}`, '--only', 'Net']);
    expect(code).toBe(0);
    expect(out.length).toBeGreaterThan(10);
    if (view === 'schedule') expect(out).toMatch(/^ {2}wasm\n {4}\w/m);
    if (view === 'fusion') expect(out).toMatch(/^ {2}output: f32\[B, 3\] +\w.* net\.nn:2:\d+$/m);
  });
});

describe('fmt', () => {
  const untidy = 'model   Net( x : float[B,4] )->float[B,3]{\n x|>Linear( 3 )\n}\n';

  it('writes the canonical form once', async () => {
    const cwd = folder({ 'net.nn': untidy, 'good.nn': program });
    expect(await nnc(cwd, ['fmt', '--check', 'net.nn', 'good.nn'])).toMatchObject({
      code: 1,
      out: 'net.nn is not formatted\n',
    });
    expect(readFileSync(join(cwd, 'net.nn'), 'utf8')).toBe(untidy);
    expect(await nnc(cwd, ['fmt', 'net.nn'])).toMatchObject({ code: 0, out: 'net.nn formatted\n' });
    expect(readFileSync(join(cwd, 'net.nn'), 'utf8')).toContain(
      'model Net(x: float[B, 4]) -> float[B, 3] {\n  x |> Linear(3)\n}',
    );
    expect(await nnc(cwd, ['fmt', '--check', 'net.nn'])).toMatchObject({ code: 0, out: '' });
  });

  it('leaves a file with syntax errors as it is, and goes on to the next', async () => {
    const damaged = 'model Net(x: float[B, 4]) -> {\n';
    const cwd = folder({ 'bad.nn': damaged, 'net.nn': untidy });
    const { code, out, err } = await nnc(cwd, ['fmt', 'bad.nn', 'net.nn']);
    expect([code, out]).toEqual([1, 'net.nn formatted\n']);
    expect(err).toMatch(/error\[NN0\d\d\]/);
    expect(readFileSync(join(cwd, 'bad.nn'), 'utf8')).toBe(damaged);
  });
});
