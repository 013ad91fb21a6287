/** Lets a plain Node script require the TypeScript sources, compiled as jest compiles them. */
const { transformSync } = require('@swc/core');
const { readFileSync } = require('node:fs');

exports.register = () => {
  require.extensions['.ts'] = (module, file) => {
    const { code } = transformSync(readFileSync(file, 'utf8'), {
      filename: file,
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs', ignoreDynamic: true },
    });
    module._compile(code, file);
  };
};
