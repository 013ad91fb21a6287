/** The list of nodes that every network is: what TypeScript reads of it is what the network has. */
import type { NativeNode, NativeOp } from '../../src/addon/nodes';
import { loadNative } from '../../src/addon/load';
import { detectArchitecture } from '../../src/weights/detect-architecture';
import { createNetwork } from '../../src/model/open-network';

const architectures = (): string[] => loadNative().architectures();

/** How many inputs an operation takes; two or more for a concatenation. */
const INPUTS: Partial<Record<NativeOp, number>> = { input: 0, add: 2, multiply: 2 };

/** Channels that a node's output must have, given those of its inputs; null where the node itself decides. */
function expectedChannels(node: NativeNode, inputs: readonly number[]): number | null {
  if (['input', 'conv', 'linear', 'flatten'].includes(node.op)) return null;
  if (node.op === 'concat') return inputs.reduce((sum, each) => sum + each, 0);
  return inputs[0]!;
}

test.each(architectures())('%s: names, shapes and layers follow from the list', async (architecture) => {
  const network = await createNetwork({ architecture, classes: ['a', 'b', 'c'] }, false);
  try {
    const { nodes, tensors, layers, norms } = network;
    nodes.forEach((node, i) => {
      expect(node.inputs.every((each) => each < i)).toBe(true);
      if (node.op === 'concat') expect(node.inputs.length).toBeGreaterThan(1);
      else expect(node.inputs).toHaveLength(INPUTS[node.op] ?? 1);
      const channels = expectedChannels(
        node,
        node.inputs.map((each) => nodes[each]!.channels),
      );
      if (channels !== null) expect(node.channels).toBe(channels);
    });
    expect(nodes.at(-1)!.channels).toBe(3);
    const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
    for (const { op, name, inputs, channels, kernel, groups } of nodes) {
      const from = nodes[inputs[0]!]?.channels;
      if (op === 'conv') expect(shapes.get(`${name}.weight`)).toEqual([channels, from! / groups!, kernel, kernel]);
      if (op === 'linear') expect(shapes.get(`${name}.weight`)).toEqual([channels, from]);
      if (op === 'norm') expect(shapes.get(`${name}.running_var`)).toEqual([channels]);
    }
    const owners = new Set(tensors.map(({ name }) => name.replace(/\.\w+$/, '')));
    expect([...owners]).toEqual(
      nodes.filter(({ op }) => ['conv', 'norm', 'linear'].includes(op)).map(({ name }) => name),
    );
    expect(detectArchitecture(tensors)).toBe(architecture);
    expect(nodes.flatMap(({ layer }) => layer ?? [])).toEqual(layers.names);
    expect(layers.names).toContain(layers.default);
    expect(nodes.filter(({ op }) => op === 'norm').map(({ name }) => name)).toEqual(norms);
  } finally {
    network.dispose();
  }
});
