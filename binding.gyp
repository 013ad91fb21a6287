{
  # A signpost for `node-gyp rebuild` and `npm rebuild`: the build itself is cmake-js's, through the one script.
  "targets": [
    {
      "target_name": "covidct_torch",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js_build",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/covidct_torch.built"],
          "action": ["node", "<(module_root_dir)/scripts/build.cjs", "--native"]
        }
      ]
    }
  ]
}
