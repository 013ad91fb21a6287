/** Which files of a folder count as images. */
import { textSchema } from '../../options/atoms';
import { checkArgument } from '../../options/check';

const IMAGE_NAME = /\.(?:png|jpe?g|jpe|jfif|webp|gif|tiff?|avif|hei[cf]|bmp|dib|p[bgpn]m|pam)$/i;

/** Whether a file has the extension of an image; its content is checked when it is decoded. */
export function isImageName(name: string): boolean {
  return !checkArgument(textSchema, name, 'isImageName', 'name').startsWith('.') && IMAGE_NAME.test(name);
}
