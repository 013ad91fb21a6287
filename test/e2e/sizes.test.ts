/** `covidct doctor --arch`: memory measured in processes of its own. */
import { covidct } from './command';

interface Row {
  architecture: string;
  parameters: number;
  weightBytes: number;
  training: { peakBytes: number; baselineBytes: number; problem: string | null };
  prediction: { peakBytes: number; baselineBytes: number; problem: string | null };
  pytorch: { training: { problem: string | null } } | null;
}

test('training takes more than prediction, and both more than the libraries alone', async () => {
  const { code, stdout } = await covidct(['doctor', '--arch', 'tiny', '--image-size', '128', '--json']);
  expect(code).toBe(0);
  const [row] = (JSON.parse(stdout) as { architectures: Row[] }).architectures as [Row];
  expect(row).toMatchObject({
    architecture: 'tiny',
    training: { problem: null },
    prediction: { problem: null },
    pytorch: null,
  });
  expect(row.weightBytes).toBeGreaterThan(row.parameters * 4);
  expect(row.prediction.peakBytes).toBeGreaterThan(row.prediction.baselineBytes);
  expect(row.training.peakBytes).toBeGreaterThan(row.prediction.peakBytes);
}, 60_000);

test('more images take more memory, about what their activations are', async () => {
  const peak = async (batch: number): Promise<number> => {
    const { stdout } = await covidct([
      'doctor',
      '--arch',
      'tiny',
      '--image-size',
      '224',
      '--batch-size',
      String(batch),
      '--json',
    ]);
    return (JSON.parse(stdout) as { architectures: Row[] }).architectures[0]!.training.peakBytes;
  };
  // 16 channels of 224 x 224 floats after each of convolution, batch norm and ReLU: at least 6 MB more an image.
  expect((await peak(24)) - (await peak(4))).toBeGreaterThan(20 * 6e6);
}, 60_000);

test('a Python that is not there is told, and ours is measured all the same', async () => {
  const { code, stdout } = await covidct([
    'doctor',
    '--arch',
    'tiny',
    '--image-size',
    '64',
    '--python',
    '/nowhere/python',
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/tiny +0\.09 M/);
  expect(stdout).toContain('tiny, PyTorch training: spawn /nowhere/python ENOENT');
}, 60_000);

test.each([
  [['--arch', 'vgg20'], 'expected an architecture of vgg11'],
  [['--arch', 'tiny', '--image-size', '3'], '--image-size: Too small'],
  [['--image-size', '64'], '--image-size is for measuring memory; give --arch too'],
])('doctor %j is refused', async (args, message) => {
  const { code, stdout, stderr } = await covidct(['doctor', ...args]);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
});
