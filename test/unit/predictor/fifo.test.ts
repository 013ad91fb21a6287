import { Fifo } from '../../../src/predictor/fifo';

test('the first in is the first out', () => {
  const fifo = new Fifo<number>();
  for (const each of [1, 2, 3]) fifo.push(each);
  expect([fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()]).toEqual([1, 2, 3, undefined]);
  expect(fifo.size).toBe(0);
});

test('any entry can be taken out, once', () => {
  const fifo = new Fifo<number>();
  const entries = [1, 2, 3, 4, 5].map((each) => fifo.push(each));
  for (const place of [0, 2, 4]) expect(entries[place]!.remove()).toBe(true);
  expect(entries[2]!.remove()).toBe(false);
  fifo.push(6);
  expect(fifo.size).toBe(3);
  expect([fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()]).toEqual([2, 4, 6, undefined]);
  expect(entries[1]!.remove()).toBe(false);
  expect(fifo.size).toBe(0);
});

test('every order of adding, taking and taking out is that of a list', () => {
  const fifo = new Fifo<number>();
  const entries = new Map<number, { remove(): boolean }>();
  const list: number[] = [];
  let random = 1;
  for (let step = 0; step < 20_000; step += 1) {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    if (random % 5 < 2) {
      entries.set(step, fifo.push(step));
      list.push(step);
    } else if (random % 5 < 4) {
      expect(fifo.shift()).toBe(list.shift());
    } else if (list.length > 0) {
      const [taken] = list.splice(random % list.length, 1);
      expect(entries.get(taken!)!.remove()).toBe(true);
    }
    expect(fifo.size).toBe(list.length);
  }
});
